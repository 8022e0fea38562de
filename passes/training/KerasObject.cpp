// Reading what Keras serialized; see the header.
#include "passes/training/KerasObject.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace formwork {

bool isNone(Attribute attribute) { return !attribute || isa<UnitAttr>(attribute); }

/// The function or class that `{class_name, config}` names.
static std::optional<KerasObject> readDictionary(DictionaryAttr object) {
  auto name = object.getAs<StringAttr>("class_name");
  if (!name)
    return {};
  Attribute config = object.get("config");
  // A plain function: {"class_name": "function", "config": "binary_accuracy"}.
  if (auto function = dyn_cast_or_null<StringAttr>(config))
    return KerasObject{function.getValue(), DictionaryAttr::get(object.getContext())};
  if (isNone(config))
    return KerasObject{name.getValue(), DictionaryAttr::get(object.getContext())};
  if (auto arguments = dyn_cast<DictionaryAttr>(config))
    return KerasObject{name.getValue(), arguments};
  return {};
}

std::optional<KerasObject> readObject(Attribute attribute, StringRef what, Problems &problems) {
  if (auto name = dyn_cast_or_null<StringAttr>(attribute))
    return KerasObject{name.getValue(), DictionaryAttr::get(name.getContext())};
  if (auto object = dyn_cast_or_null<DictionaryAttr>(attribute))
    if (auto read = readDictionary(object))
      return read;
  if (!attribute)
    problems.report() << what << " is missing";
  else
    problems.report()
        << what << " is " << attribute
        << ", which is neither a name nor an object of Keras with class_name and config";
  return {};
}

Arguments::Arguments(std::string owner, DictionaryAttr config, Problems &problems)
    : owner(std::move(owner)), config(config), all(&problems) {}

Attribute Arguments::take(StringRef name) {
  read.push_back(name);
  return config.get(name);
}

Attribute Arguments::raw(StringRef name) {
  Attribute value = take(name);
  return isNone(value) ? Attribute() : value;
}

InFlightDiagnostic Arguments::reject(StringRef name) {
  InFlightDiagnostic error = all->report();
  error << owner << ": argument '" << name << "' is " << config.get(name) << ", ";
  return error;
}

double Arguments::real(StringRef name, double byDefault) {
  Attribute value = take(name);
  if (!value)
    return byDefault;
  if (auto number = dyn_cast<FloatAttr>(value))
    return number.getValueAsDouble();
  if (auto number = dyn_cast<IntegerAttr>(value))
    return double(number.getInt());
  reject(name) << "not a number";
  return byDefault;
}

int64_t Arguments::integer(StringRef name, int64_t byDefault) {
  Attribute value = take(name);
  if (!value)
    return byDefault;
  if (auto number = dyn_cast<IntegerAttr>(value))
    return number.getInt();
  reject(name) << "not an integer";
  return byDefault;
}

bool Arguments::flag(StringRef name, bool byDefault) {
  Attribute value = take(name);
  if (!value)
    return byDefault;
  if (auto flag = dyn_cast<BoolAttr>(value))
    return flag.getValue();
  reject(name) << "not True or False";
  return byDefault;
}

StringRef Arguments::text(StringRef name, StringRef byDefault, StringRef none) {
  Attribute value = take(name);
  if (!value)
    return byDefault;
  if (isNone(value))
    return none;
  if (auto text = dyn_cast<StringAttr>(value))
    return text.getValue();
  reject(name) << "not a string";
  return byDefault;
}

/// What an array was made of, if Keras serialized it as one.
static Attribute unwrapArray(Attribute value) {
  auto object = dyn_cast_or_null<DictionaryAttr>(value);
  auto name = object ? object.getAs<StringAttr>("class_name") : StringAttr();
  if (!name || (name.getValue() != "__tensor__" && name.getValue() != "__numpy__"))
    return value;
  auto config = object.getAs<DictionaryAttr>("config");
  return config ? config.get("value") : Attribute();
}

/// Appends what the value holds to `array`, whose shape the first element of each list decides.
static LogicalResult flatten(Attribute value, size_t depth, NumberArray &array) {
  if (auto list = dyn_cast_or_null<ArrayAttr>(value)) {
    bool first = array.values.empty() && array.shape.size() == depth;
    if (first)
      array.shape.push_back(int64_t(list.size()));
    if (array.shape.size() <= depth || array.shape[depth] != int64_t(list.size()))
      return failure();
    for (Attribute element : list)
      if (failed(flatten(element, depth + 1, array)))
        return failure();
    return success();
  }
  if (auto number = dyn_cast_or_null<FloatAttr>(value))
    array.values.push_back(number.getValueAsDouble());
  else if (auto number = dyn_cast_or_null<IntegerAttr>(value))
    array.values.push_back(double(number.getInt()));
  else
    return failure();
  return success(depth == array.shape.size());
}

NumberArray Arguments::numbers(StringRef name, double byDefault) {
  NumberArray array;
  Attribute value = unwrapArray(take(name));
  if (isNone(value))
    return {{}, {byDefault}};
  if (succeeded(flatten(value, 0, array)))
    return array;
  problems().report() << owner << ": argument '" << name
                      << "' is neither a number nor nested lists of numbers of equal lengths";
  return {{}, {byDefault}};
}

std::vector<double> Arguments::reals(StringRef name) {
  NumberArray array;
  if (failed(flatten(unwrapArray(take(name)), 0, array)) || array.shape.size() != 1) {
    reject(name) << "not a list of numbers";
    return {};
  }
  return array.values;
}

void Arguments::ignore(ArrayRef<StringLiteral> names) { llvm::append_range(read, names); }

void Arguments::finish() {
  for (NamedAttribute argument : config)
    if (!llvm::is_contained(read, argument.getName().getValue()))
      all->report() << owner << " has an unknown argument '" << argument.getName().getValue()
                    << "': it may be of a newer Keras; remove it to compile without it";
}

} // namespace formwork
