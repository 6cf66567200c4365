// Reads a golden table of JSON lines, and judges results by it. Nothing but Node.js is needed.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const WORDS = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const number = (value) => (typeof value === "string" ? WORDS[value] : value);

/** The rows of a table, arrays by name; throws where it is not whole. */
export function read(path) {
  const text = readFileSync(path, "utf8");
  const end = text.indexOf("\n") + 1;
  const header = JSON.parse(text.slice(0, end));
  const digest = createHash("sha256").update(text.slice(end)).digest("hex");
  if (header.kind !== "golden" || header.schema !== 1) throw new Error(`${path} is no golden table of schema 1`);
  if (header.digest !== digest) throw new Error(`${path} has digest ${digest}, its header says ${header.digest}`);
  return text.slice(end).trimEnd().split("\n").map(JSON.parse).map((row) => ({
    ...row,
    arrays: Object.fromEntries(row.arrays.map((array) => [array.name, { ...array, numbers: decoded(array) }])),
    results: Object.fromEntries(row.results.map((result) => [result.of, {
      ...result,
      hi: result.hi.map(number),
      lo: result.lo.map(number),
      tolerance: result.tolerance.map(number),
    }])),
  }));
}

/** The numbers of an array of float64, float32 or integers, from their bits. */
function decoded({ dtype, bits }) {
  const view = new DataView(new ArrayBuffer(8));
  const read = {
    float64: (text) => { view.setBigUint64(0, BigInt(`0x${text}`)); return view.getFloat64(0); },
    float32: (text) => { view.setUint32(0, parseInt(text, 16)); return view.getFloat32(0); },
    int64: (text) => Number(BigInt.asIntN(64, BigInt(`0x${text}`))),
    int32: (text) => parseInt(text, 16) | 0,
  }[dtype];
  return read && Float64Array.from(bits, read);
}

/** What is wrong with a result in float64: a sentence, or null. */
export function complaint(result, got) {
  if (got.length !== result.hi.length) return `${got.length} numbers instead of ${result.hi.length}`;
  for (let i = 0; i < got.length; i += 1) {
    const right = Object.is(got[i], result.hi[i]) || got[i] === result.hi[i];
    const off = Math.abs(got[i] - result.hi[i] - result.lo[i]);
    if (!right && !(off <= result.tolerance[i])) {
      return `${result.of}[${i}] is ${got[i]}, the truth ${result.hi[i]}, the tolerance ${result.tolerance[i]}`;
    }
  }
  return null;
}
