// The command line of a produced program; see Options.h.
#include "runtime/app/Options.h"

#include "runtime/Error.h"

#include <charconv>
#include <cstring>
#include <getopt.h>

namespace formwork::runtime {

//===--- commands ---------------------------------------------------------------------------------

static constexpr Command commands[] = {
    {"train", "train the model on data", train, "dvVeiBncWNSwotqj",
     "--data train.npz --epochs 5 -o trained.keras",
     "Trains the model as Keras's fit does and writes a checkpoint, from which training can be\n"
     "continued (--weights) to the same bits as if it had never stopped. A .keras checkpoint also\n"
     "opens in Keras: keras.models.load_model(\"trained.keras\")."},
    {"evaluate", "loss and metrics over data", evaluateCommand, "dBwtqj", "--data test.npz",
     "Computes the loss and the metrics over all samples."},
    {"predict", "outputs for inputs", predictCommand, "dIBwotq",
     "--data images.npy -o predictions.npz",
     "Computes the outputs for all samples and writes them by name (.npz), or the single one\n"
     "(.npy)."},
    {"convert", "weights from one kind of file to another", convertCommand, "wo",
     "--weights trained.safetensors -o trained.keras",
     "Writes the model's variables, those inside or those of --weights, as the ending of the file\n"
     "to write says: .keras (an archive that Keras loads), .safetensors or .npz (arrays by name)."},
    {"bench", "how fast the model runs here", bench, "BStjp", "--batch-size 32",
     "Times predict and, if the model trains, train_step on random data, and prints medians."},
    {"summary", "variables, functions and memory", summary, "j", "",
     "Prints what was compiled: the functions and the sizes they were compiled for, the variables\n"
     "with their shapes, and how much memory they take."},
};

//===--- options ----------------------------------------------------------------------------------

static int64_t wholeNumber(const char *option, const char *words, int64_t least) {
  int64_t value = 0;
  const char *end = words + strlen(words);
  auto [stop, error] = std::from_chars(words, end, value);
  if (error != std::errc() || stop != end || value < least)
    throw UsageError(text("--%s %s: a whole number, at least %lld, is expected", option, words,
                          (long long)least));
  return value;
}

static double fraction(const char *option, const char *words) {
  char *stop = nullptr;
  double value = strtod(words, &stop);
  if (stop == words || *stop || !(value >= 0 && value < 1))
    throw UsageError(
        text("--%s %s: a number from 0 up to, but not including, 1 is expected", option, words));
  return value;
}

namespace {
struct OptionRow {
  char letter; // also what it is called in Command::options
  const char *name;
  const char *argument; // null if it takes none
  void (*apply)(Options &, const char *name, const char *words);
  const char *help;
};
} // namespace

using Words = const char *;
static constexpr OptionRow optionRows[] = {
    {'d', "data", "FILE", [](Options &o, Words, Words w) { o.data.push_back(w); },
     "samples: a .npz file with one array per input and\ntarget, named after them, or x and y; "
     "several .npy\nfiles, --data x.npy --data y.npy; or a .csv file\nwhose first line names the "
     "columns: x[0],x[1],y. An\narray sample_weight says how much each sample counts"},
    {'v', "validation-data", "FILE",
     [](Options &o, Words, Words w) { o.validationData.push_back(w); },
     "samples to evaluate after every epoch"},
    {'V', "validation-split", "F",
     [](Options &o, Words n, Words w) { o.validationSplit = fraction(n, w); },
     "keep this part of the samples, from their end, for\nvalidation: 0.2 keeps a fifth"},
    {'e', "epochs", "N", [](Options &o, Words n, Words w) { o.epochs = wholeNumber(n, w, 1); },
     "number of the last epoch (1)"},
    {'i', "initial-epoch", "N",
     [](Options &o, Words n, Words w) { o.initialEpoch = wholeNumber(n, w, 0); },
     "epochs already done (the checkpoint's, or 0)"},
    {'B', "batch-size", "N",
     [](Options &o, Words n, Words w) { o.batchSize = wholeNumber(n, w, 1); },
     "samples per step (32)"},
    {'n', "no-shuffle", nullptr, [](Options &o, Words, Words) { o.shuffle = false; },
     "take the samples in their order"},
    {'c', "steps-per-epoch", "N",
     [](Options &o, Words n, Words w) { o.stepsPerEpoch = wholeNumber(n, w, 1); },
     "end an epoch after so many steps; the next one goes\non from there"},
    {'W', "class-weight", "L:W,...",
     [](Options &o, Words, Words w) { o.classWeights = parseClassWeights(w); },
     "what the samples of a label count in training: 0:1,1:2.5,\nor Keras's dictionary as JSON; "
     "others count 1"},
    {'N', "no-terminate-on-nan", nullptr,
     [](Options &o, Words, Words) { o.terminateOnNaN = false; },
     "go on when the loss is not a number; otherwise that\nis an error, and nothing is written"},
    {'S', "seed", "S", [](Options &o, Words n, Words w) { o.seed = wholeNumber(n, w, INT64_MIN); },
     "of fresh weights, shuffling and dropout (0): the same\nseed gives the same bits"},
    {'w', "weights", "FILE", [](Options &o, Words, Words w) { o.weights = w; },
     "begin with these variables (.keras, .safetensors,\n.npz or .weights.h5)"},
    {'o', "output", "FILE", [](Options &o, Words, Words w) { o.output = w; }, "file to write"},
    {'t', "threads", "N",
     [](Options &o, Words n, Words w) {
       o.threads = int(std::min<int64_t>(wholeNumber(n, w, 1), 1024));
     },
     "threads to use ($FORMWORK_THREADS, or one per CPU);\nresults do not depend on it"},
    {'j', "json", nullptr, [](Options &o, Words, Words) { o.json = true; },
     "print the result as JSON"},
    {'p', "profile", nullptr, [](Options &o, Words, Words) { o.profile = true; },
     "tell where the time goes, by layer and kernel; the\nmodel must have been compiled for it, as "
     "`formwork\n"
     "bench --profile` does"},
    {'q', "quiet", nullptr, [](Options &o, Words, Words) { o.quiet = true; }, "print no progress"},
    {'I', "input", "FILE", [](Options &o, Words, Words w) { o.data.push_back(w); },
     "the same as --data"},
};

static const OptionRow *findOption(const Command &command, int letter) {
  for (const OptionRow &row : optionRows)
    if (row.letter == letter && strchr(command.options, letter))
      return &row;
  return nullptr;
}

std::vector<OptionText> optionTexts(const char *command) {
  std::vector<OptionText> texts;
  for (const Command &candidate : commands)
    for (const OptionRow &row : optionRows)
      if (!strcmp(candidate.name, command) && strchr(candidate.options, row.letter))
        texts.push_back({row.name, row.letter == 'o' ? 'o' : '\0', row.argument, row.help});
  return texts;
}

//===--- help texts -------------------------------------------------------------------------------

static void printHelp(const char *program, const formwork_model &model) {
  printf("%s: the model %s, compiled for %s.\n\nUsage: %s COMMAND [OPTIONS]\n\n", program,
         model.name, model.target, program);
  for (const Command &command : commands)
    printf("  %-9s %s\n", command.name, command.summary);
  printf("\n%s COMMAND --help tells more about each.\n", program);
}

static void printHelp(const char *program, const Command &command) {
  printf("%s\n\nUsage: %s %s [OPTIONS]\nExample: %s %s %s\n\n", command.help, program, command.name,
         program, command.name, command.example);
  for (const OptionRow &row : optionRows) {
    if (!strchr(command.options, row.letter))
      continue;
    std::string left = row.letter == 'o' ? "-o, --" : "    --";
    left += row.name;
    if (row.argument)
      left += std::string(" ") + row.argument;
    std::string help = row.help;
    for (size_t at = 0; (at = help.find('\n', at)) != std::string::npos; at += 30)
      help.insert(at + 1, 29, ' ');
    printf("%-28s %s\n", left.c_str(), help.c_str());
  }
}

//===--- parsing ----------------------------------------------------------------------------------

static const Command &findCommand(const char *program, const char *name) {
  for (const Command &command : commands)
    if (!strcmp(command.name, name))
      return command;
  throw UsageError(text("'%s' is not a command; %s --help lists them", name, program));
}

std::optional<Options> parseOptions(int argc, char **argv, const formwork_model &model) {
  const char *program = argc ? argv[0] : model.name;
  if (argc < 2)
    throw UsageError(text("a command is missing; %s --help lists them", program));
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    printHelp(program, model);
    return std::nullopt;
  }
  Options options;
  options.command = &findCommand(program, argv[1]);
  constexpr int helpValue = 1;
  std::vector<option> table;
  for (const OptionRow &row : optionRows)
    if (strchr(options.command->options, row.letter))
      table.push_back(
          {row.name, row.argument ? required_argument : no_argument, nullptr, row.letter});
  table.push_back({"help", no_argument, nullptr, helpValue});
  table.push_back({});
  const char *letters = strchr(options.command->options, 'o') ? "+:ho:" : "+:h";
  Mistakes values;
  optind = 0;
  opterr = 0;
  // getopt begins after argv[0]: here, after the command.
  for (int letter;
       (letter = getopt_long(argc - 1, argv + 1, letters, table.data(), nullptr)) != -1;) {
    if (letter == helpValue || letter == 'h') {
      printHelp(program, *options.command);
      return std::nullopt;
    }
    const OptionRow *row =
        letter == '?' || letter == ':' ? nullptr : findOption(*options.command, letter);
    if (!row)
      throw UsageError(
          text("%s: %s; %s %s --help lists the options", argv[optind],
               letter == ':' ? "a value is missing" : "is not an option of this command", program,
               options.command->name));
    values.gather([&] { row->apply(options, row->name, optarg); });
  }
  if (optind < argc - 1)
    throw UsageError(text("'%s' is more than was expected; %s %s --help lists the options",
                          argv[optind + 1], program, options.command->name));
  values.raise<UsageError>();
  return options;
}

} // namespace formwork::runtime
