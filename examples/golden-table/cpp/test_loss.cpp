// ./test_loss golden.jsonl: tests the loss by the rows of a golden table that it has the options for.
#include <fstream>
#include <iostream>
#include <set>

#include "golden.hpp"
#include "loss.hpp"

static bool fits(const Json& row) {
    static const std::set<std::string> arrays{"logits", "targets", "vector"};
    static const std::set<std::string> options{"reduction", "denominator", "ignore_index"};
    if (row["loss"].text != "softmax_cross_entropy") return false;
    for (const Json& array : row["arrays"].list)
        if (!arrays.count(array["name"].text)) return false;
    const std::string divides = row["options"].has("ignore_index") ? "valid" : "count";
    for (const auto& [name, value] : row["options"].fields)
        if (!options.count(name) || (name == "denominator" && value.text != divides)) return false;
    return named(row["arrays"], "name", "logits")->fields.at("shape").list.size() == 2 &&
           named(row["arrays"], "name", "targets")->fields.at("dtype").text == "int64";
}

template <typename T>
static std::string judged(const Json& row) {
    const Json& logits = *named(row["arrays"], "name", "logits");
    const Json& options = row["options"];
    std::optional<std::int64_t> ignored;
    if (options.has("ignore_index")) ignored = std::stoll(options["ignore_index"].text);
    const auto answer = cross_entropy<T>(decoded<T>(logits), std::stoul(logits["shape"].list[1].text),
                                         decoded<std::int64_t>(*named(row["arrays"], "name", "targets")),
                                         options["reduction"].text, ignored);
    const std::string said = complaint(*named(row["results"], "of", "value"), answer.value);
    const Json* slope = named(row["results"], "of", "logits");
    return said.empty() && slope ? complaint(*slope, answer.gradient) : said;
}

int main(int count, char** arguments) {
    std::ifstream file(count > 1 ? arguments[1] : "golden.jsonl");
    std::string line;
    std::getline(file, line);
    if (Reader(line).value()["schema"].text != "1") throw std::runtime_error("not a golden table of schema 1");
    const auto expected = std::stoul(Reader(line).value()["rows"].text);
    unsigned long read = 0, rows = 0, wrong = 0;
    for (; std::getline(file, line); ++read) {
        const Json row = Reader(line).value();
        const std::string dtype = row["dtype"].text;
        if (!fits(row) || (dtype != "float64" && dtype != "float32")) continue;
        ++rows;
        const std::string said = dtype == "float64" ? judged<double>(row) : judged<float>(row);
        if (!said.empty()) {
            ++wrong;
            std::cout << row["case"].text << " in " << dtype << ": " << said << "\n";
        }
    }
    std::cout << rows << " rows, " << wrong << " wrong\n";
    return read != expected || wrong > 0 || rows == 0 ? 1 : 0;
}
