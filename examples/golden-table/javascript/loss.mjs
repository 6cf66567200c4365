// The loss under test: softmax cross-entropy of rows of logits with class labels, value and gradient.

export function crossEntropy(logits, classes, labels, { reduction = "mean", ignoreIndex = null } = {}) {
  const losses = new Float64Array(labels.length);
  const gradient = new Float64Array(logits.length);
  const share = reduction === "mean" ? labels.filter((label) => label !== ignoreIndex).length : 1;
  labels.forEach((label, row) => {
    if (label === ignoreIndex) return;
    const x = logits.subarray(row * classes, (row + 1) * classes);
    const largest = x.reduce((a, b) => (Number.isNaN(a) || a > b ? a : b));
    const exponentials = x.map((value) => Math.exp(value - largest));
    const sum = exponentials.reduce((a, b) => a + b);
    losses[row] = Math.log(sum) - (x[label] - largest);
    exponentials.forEach((e, j) => {
      gradient[row * classes + j] = (e / sum - (j === label ? 1 : 0)) / share;
    });
  });
  const value = reduction === "none" ? losses : Float64Array.of(losses.reduce((a, b) => a + b, 0) / share);
  return { value, gradient };
}
