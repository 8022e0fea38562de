// JSON as MLIR attributes, member by member.
#include "frontend/keras/Attributes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace formwork::keras {

Attribute attributeOf(MLIRContext &context, const Json &value) {
  Builder builder(&context);
  if (auto flag = value.boolean())
    return builder.getBoolAttr(*flag);
  if (auto number = value.integer())
    return builder.getI64IntegerAttr(*number);
  if (auto number = value.real())
    return builder.getF64FloatAttr(*number);
  if (const std::string *text = value.string())
    return builder.getStringAttr(*text);
  if (const Json::Array *elements = value.array()) {
    SmallVector<Attribute> attributes;
    for (const Json &element : *elements)
      attributes.push_back(attributeOf(context, element));
    return builder.getArrayAttr(attributes);
  }
  if (const Json::Object *members = value.object()) {
    NamedAttrList attributes;
    for (const Json::Member &member : *members)
      if (!member.key.empty())
        attributes.set(member.key, attributeOf(context, member.value));
    return attributes.getDictionary(&context);
  }
  return builder.getUnitAttr();
}

} // namespace formwork::keras
