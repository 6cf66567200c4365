// TensorFlow.js as an implementation of xent, over the worker protocol (docs/protocol.md): the losses of tf.losses on
// its backend of plain JavaScript.
//
//     npm install
//     xent run -i 'command:node examples/tensorflow-js/losses.cjs'
'use strict';
const fs = require('node:fs');
const readline = require('node:readline');
const tf = require('@tensorflow/tfjs');

class Unsupported extends Error {}

const REDUCTIONS = {
  none: tf.Reduction.NONE,
  sum: tf.Reduction.SUM,
  mean: tf.Reduction.SUM_BY_NONZERO_WEIGHTS,
};
const TYPES = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array };

// ---- arrays -------------------------------------------------------------------------------------------------------

function read(array) {
  const type = TYPES[array.dtype];
  if (!type) throw new Unsupported(`no ${array.dtype}`);
  const bytes = new Uint8Array(Buffer.from(array.data, 'base64')).buffer;
  const numbers = Array.from(new type(bytes), Number);
  return tf.tensor(numbers, array.shape, array.dtype === 'float32' ? 'float32' : 'int32');
}

function written(tensor) {
  const data = tensor.dataSync();
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { dtype: tensor.dtype, shape: tensor.shape, data: bytes.toString('base64') };
}

// ---- losses -------------------------------------------------------------------------------------------------------

// By our name: the input that is differentiated, the options, and the function of its arrays.
const LOSSES = {
  softmax_cross_entropy: {
    scores: 'logits',
    options: ['reduction', 'label_smoothing', 'sample_weights'],
    name: 'tf.losses.softmaxCrossEntropy',
    of: (logits, { targets }, options) =>
      tf.losses.softmaxCrossEntropy(
        distributions(targets, logits), logits, options.sample_weights, options.label_smoothing, options.reduction),
  },
  binary_cross_entropy_with_logits: {
    scores: 'logits',
    options: ['reduction', 'label_smoothing', 'sample_weights'],
    name: 'tf.losses.sigmoidCrossEntropy',
    of: (logits, { targets }, options) =>
      tf.losses.sigmoidCrossEntropy(
        targets, logits, options.sample_weights, options.label_smoothing, options.reduction),
  },
  binary_cross_entropy: {
    scores: 'probabilities',
    options: ['reduction', 'sample_weights'],
    name: 'tf.losses.logLoss',
    convention: { add_inside_log: 1e-7 },
    of: (probabilities, { targets }, options) =>
      tf.losses.logLoss(targets, probabilities, options.sample_weights, undefined, options.reduction),
  },
  softmax: { scores: 'logits', options: ['axis'], name: 'tf.softmax', of: (x, _, o) => tf.softmax(x, o.axis) },
  log_softmax: { scores: 'logits', options: ['axis'], name: 'tf.logSoftmax', of: (x, _, o) => tf.logSoftmax(x, o.axis) },
  logsumexp: { scores: 'logits', options: ['axis'], name: 'tf.logSumExp', of: (x, _, o) => tf.logSumExp(x, o.axis ?? -1) },
};

// It takes distributions: its user writes labels as such.
function distributions(targets, logits) {
  return targets.rank === logits.rank ? targets : tf.oneHot(targets, logits.shape[logits.rank - 1], 1, 0, 'float32');
}

function evaluated(request) {
  const loss = LOSSES[request.loss];
  const { denominator, ...asked } = request.options;
  if (denominator !== undefined && denominator !== 'count') throw new Unsupported('a mean divides by the elements');
  const lacking = Object.keys(asked).find((name) => !loss.options.includes(name));
  if (lacking) throw new Unsupported(`${loss.name} has no ${lacking}`);
  const options = { ...asked };
  if ('reduction' in asked) {
    options.reduction = REDUCTIONS[asked.reduction];
    if (options.reduction === undefined) throw new Unsupported(`no reduction ${asked.reduction}`);
  }
  if (typeof asked.sample_weights === 'object') {
    if (asked.reduction === 'mean') throw new Unsupported('a weighted mean divides by the weights that are not 0');
    options.sample_weights = read(asked.sample_weights);
  }
  const inputs = Object.fromEntries(Object.entries(request.inputs).map(([name, array]) => [name, read(array)]));
  const compute = (scores) => loss.of(scores, inputs, options);
  const value = compute(inputs[loss.scores]);
  const answer = { outcome: 'value', function: loss.name, value: written(value) };
  if (loss.convention) answer.convention = loss.convention;
  if (request.differentiate.includes(loss.scores)) {
    try {
      const upstream = request.cotangent ? read(request.cotangent) : tf.onesLike(value);
      answer.gradients = { [loss.scores]: written(tf.grad(compute)(inputs[loss.scores], upstream)) };
    } catch (error) {
      answer.gradient_error = { type: error.name, message: error.message };
    }
  }
  return answer;
}

// ---- protocol -----------------------------------------------------------------------------------------------------

function answer(request) {
  if (request.kind === 'describe') {
    return {
      kind: 'description',
      version: tf.version.tfjs,
      losses: Object.keys(LOSSES),
      dtypes: ['float32'],
      versions: { node: process.versions.node },
    };
  }
  const outcome = { kind: 'outcome' };
  if (request.kind !== 'evaluate') return { ...outcome, outcome: 'missing', reason: `no request of kind ${request.kind}` };
  try {
    return { ...outcome, ...tf.tidy(() => evaluated(request)) };
  } catch (error) {
    if (error instanceof Unsupported) return { ...outcome, outcome: 'unsupported', reason: error.message };
    return { ...outcome, outcome: 'raises', type: error.name, message: error.message };
  }
}

const input = fs.createReadStream(null, { fd: Number(process.env.XENT_REQUEST_FD) });
const output = Number(process.env.XENT_RESPONSE_FD);
tf.setBackend('cpu').then(() => {
  readline.createInterface({ input, crlfDelay: Infinity }).on('line', (line) => {
    const request = JSON.parse(line);
    fs.writeSync(output, JSON.stringify({ id: request.id, ...answer(request) }) + '\n');
  });
});
