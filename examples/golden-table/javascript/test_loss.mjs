// node test_loss.mjs golden.jsonl: tests the loss by the rows of a golden table that it has the options for.
import { complaint, read } from "./golden.mjs";
import { crossEntropy } from "./loss.mjs";

const OPTIONS = ["reduction", "denominator", "ignore_index"];

function fits({ loss, dtype, options, arrays }) {
  const { logits, targets } = arrays;
  return loss === "softmax_cross_entropy" && dtype === "float64" && Object.keys(arrays).every((name) =>
    ["logits", "targets", "vector"].includes(name)) && Object.keys(options).every((name) => OPTIONS.includes(name)) &&
    logits.shape.length === 2 && targets.dtype === "int64" &&
    [undefined, "ignore_index" in options ? "valid" : "count"].includes(options.denominator);
}

const rows = read(process.argv[2]).filter(fits);
let wrong = 0;
for (const { case: name, options, arrays, results } of rows) {
  const { value, gradient } = crossEntropy(arrays.logits.numbers, arrays.logits.shape[1], [...arrays.targets.numbers], {
    reduction: options.reduction,
    ignoreIndex: options.ignore_index ?? null,
  });
  const said = complaint(results.value, value) ?? (results.logits && complaint(results.logits, gradient));
  if (said) {
    wrong += 1;
    console.log(`${name}: ${said}`);
  }
}
console.log(`${rows.length} rows, ${wrong} wrong`);
process.exit(wrong > 0 || rows.length === 0 ? 1 : 0);
