// The loss under test: softmax cross-entropy of rows of logits with class labels, value and gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

template <typename T>
struct Answer {
    std::vector<T> value, gradient;
};

template <typename T>
Answer<T> cross_entropy(const std::vector<T>& logits, std::size_t classes, const std::vector<std::int64_t>& labels,
                        const std::string& reduction, std::optional<std::int64_t> ignore_index) {
    Answer<T> answer{std::vector<T>(labels.size()), std::vector<T>(logits.size())};
    T share = reduction == "mean" ? 0 : 1, total = 0;
    for (std::int64_t label : labels) share += reduction == "mean" && label != ignore_index;
    for (std::size_t row = 0; row < labels.size(); ++row) {
        if (labels[row] == ignore_index) continue;
        const T* x = &logits[row * classes];
        T* slope = &answer.gradient[row * classes];
        const T largest = *std::max_element(x, x + classes);
        T sum = 0;
        for (std::size_t j = 0; j < classes; ++j) sum += slope[j] = std::exp(x[j] - largest);
        for (std::size_t j = 0; j < classes; ++j) slope[j] /= sum;
        slope[labels[row]] -= 1;
        for (std::size_t j = 0; j < classes; ++j) slope[j] /= share;
        total += answer.value[row] = std::log(sum) - (x[labels[row]] - largest);
    }
    if (reduction != "none") answer.value = {total / share};
    return answer;
}
