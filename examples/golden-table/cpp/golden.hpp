// Reads the lines of a golden table, and judges results by it. Nothing but the standard library is needed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A value of JSON: what a table holds of it.
struct Json {
    std::string text;  // of a string; of a number, true, false or null as it is written
    std::vector<Json> list;
    std::map<std::string, Json> fields;

    const Json& operator[](const std::string& name) const { return fields.at(name); }
    bool has(const std::string& name) const { return fields.count(name) > 0; }
    double number() const { return std::strtod(text.c_str(), nullptr); }  // which reads nan and inf too
};

class Reader {
  public:
    explicit Reader(const std::string& text) : at_(text.c_str()) {}

    Json value() {
        Json found;
        if (take('{')) {
            while (!take('}')) {
                const std::string name = word();
                expect(':');
                found.fields[name] = value();
                take(',');
            }
        } else if (take('[')) {
            while (!take(']')) {
                found.list.push_back(value());
                take(',');
            }
        } else {
            found.text = word();
        }
        return found;
    }

  private:
    bool take(char c) {
        if (*at_ != c) return false;
        ++at_;
        return true;
    }

    void expect(char c) {
        if (!take(c)) throw std::runtime_error(std::string("expected ") + c + " before " + at_);
    }

    std::string word() {
        const bool quoted = take('"');
        const char* start = at_;
        at_ += std::strcspn(at_, quoted ? "\"" : ",]}");
        const std::string found(start, at_);
        if (quoted) expect('"');
        if (!quoted && found.empty()) throw std::runtime_error(std::string("expected a value before ") + at_);
        return found;
    }

    const char* at_;
};

// The entry of a list whose field says so; null where there is none.
inline const Json* named(const Json& list, const std::string& field, const std::string& name) {
    for (const Json& entry : list.list)
        if (entry[field].text == name) return &entry;
    return nullptr;
}

// The numbers of an array, from their bits: T has the width of its dtype.
template <typename T>
std::vector<T> decoded(const Json& array) {
    std::vector<T> numbers;
    for (const Json& bits : array["bits"].list) {
        const std::uint64_t wide = std::strtoull(bits.text.c_str(), nullptr, 16);
        const auto narrow = static_cast<std::uint32_t>(wide);
        T number;
        std::memcpy(&number, sizeof(T) == 8 ? static_cast<const void*>(&wide) : &narrow, sizeof(T));
        numbers.push_back(number);
    }
    return numbers;
}

// What is wrong with a result: a sentence, or nothing.
template <typename T>
std::string complaint(const Json& result, const std::vector<T>& got) {
    std::ostringstream said;
    said.precision(std::numeric_limits<T>::max_digits10);
    if (got.size() != result["hi"].list.size()) {
        said << got.size() << " numbers instead of " << result["hi"].list.size();
        return said.str();
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double hi = result["hi"].list[i].number(), lo = result["lo"].list[i].number();
        const double tolerance = result["tolerance"].list[i].number();
        const bool right = (std::isnan(got[i]) && std::isnan(hi)) || got[i] == static_cast<T>(hi);
        if (!right && !(std::fabs(got[i] - hi - lo) <= tolerance)) {
            said << result["of"].text << "[" << i << "] is " << got[i] << ", the truth " << hi << ", the tolerance "
                 << tolerance;
            return said.str();
        }
    }
    return "";
}
