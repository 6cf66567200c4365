"""The formula of each loss as MathML: browsers typeset it without fonts or script, and screen readers read it.

Symbols: p probabilities, x logits, q log-probabilities, y and t targets, w weights, h hidden, W weight matrix, σ the
logistic function, j and k run over classes, b the base of the logarithm (e unless the option says otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

__all__ = ["FORMULAS", "Formula"]


@dataclass(frozen=True)
class Formula:
    """A loss, its gradient, and the sentence that says what the letters are."""

    value: Markup
    gradient: Markup
    words: str
    hessian_vector: Markup | None = None
    """The second derivative in the direction v, of a loss that is asked for it."""


def _tag(name: str, *parts: str) -> str:
    return f"<{name}>{''.join(parts)}</{name}>"


def _i(letter: str) -> str:
    return _tag("mi", letter)


def _o(sign: str) -> str:
    return _tag("mo", sign)


def _n(number: str) -> str:
    return _tag("mn", number)


def _sub(base: str, index: str) -> str:
    return _tag("msub", _i(base), _i(index))


def _sup(base: str, exponent: str) -> str:
    return _tag("msup", base, exponent)


def _row(*parts: str) -> str:
    return _tag("mrow", *parts)


def _paren(*parts: str) -> str:
    return _row(_o("("), *parts, _o(")"))


def _sum(index: str, *terms: str) -> str:
    return _row(_tag("munder", _o("∑"), _i(index)), *terms)


def _frac(top: str, bottom: str) -> str:
    return _tag("mfrac", top, bottom)


_THIN = '<mspace width="0.17em"></mspace>'
"""The space around the name of a function, a sixth of an em as typesetters use."""


def _ln(*argument: str) -> str:
    return _row(_THIN, _i("ln"), _THIN, *argument)


def _log_b(*argument: str) -> str:
    return _row(_THIN, _tag("msub", _i("log"), _i("b")), _THIN, *argument)


def _exp(exponent: str) -> str:
    return _sup(_i("e"), exponent)


def _d(of: str, by: str) -> str:
    return _frac(_row(_o("∂"), of), _row(_o("∂"), by))


def _curvature(by: str) -> str:
    return _frac(_row(_tag("msup", _o("∂"), _n("2")), _i("L")), _row(_o("∂"), _tag("msup", by, _n("2"))))


def _math(*parts: str) -> Markup:
    # Every part is written in this file; nothing from a run file ever enters a formula.
    return Markup(f'<math display="block">{_row(*parts)}</math>')


_L, _EQ, _MINUS, _PLUS = _i("L"), _o("="), _o("−"), _o("+")
_NEGATIVE = '<mo form="prefix">−</mo>'
_ONE = _n("1")
_SIGMA_Z = _row(_i("σ"), _paren(_i("z")))
_LSE = _ln(_sum("k", _exp(_sub("x", "k"))))
_SOFTMAX = _frac(_exp(_sub("x", "j")), _sum("k", _exp(_sub("x", "k"))))
_TOTAL = _sum("k", _sub("w", "k"), _sub("y", "k"))
_TRUE = _sub("p", "t")

FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "entropy": Formula(
            _math(_i("H"), _paren(_i("p")), _EQ, _NEGATIVE, _sum("j", _sub("p", "j"), _log_b(_sub("p", "j")))),
            _math(
                _d(_i("H"), _sub("p", "j")), _EQ, _NEGATIVE, _frac(_row(_ONE, _PLUS, _ln(_sub("p", "j"))), _ln(_i("b")))
            ),
            "p are probabilities, b is the base of the logarithm; 0 log 0 is 0.",
        ),
        "softmax": Formula(
            _math(_sub("p", "j"), _EQ, _SOFTMAX),
            _math(
                _d(_sub("p", "j"), _sub("x", "k")),
                _EQ,
                _sub("p", "j"),
                _paren(_sub("δ", "jk"), _MINUS, _sub("p", "k")),
            ),
            "x are logits; δ is 1 where j = k and 0 elsewhere.",
        ),
        "log_softmax": Formula(
            _math(_sub("ℓ", "j"), _EQ, _sub("x", "j"), _MINUS, _LSE),
            _math(_d(_sub("ℓ", "j"), _sub("x", "k")), _EQ, _sub("δ", "jk"), _MINUS, _sub("p", "k")),
            "x are logits, p their softmax; δ is 1 where j = k and 0 elsewhere.",
        ),
        "cross_entropy": Formula(
            _math(
                _i("H"),
                _paren(_i("t"), _o(","), _i("p")),
                _EQ,
                _NEGATIVE,
                _sum("j", _sub("t", "j"), _log_b(_sub("p", "j"))),
            ),
            _math(
                _d(_i("H"), _sub("p", "j")), _EQ, _NEGATIVE, _frac(_sub("t", "j"), _row(_sub("p", "j"), _ln(_i("b"))))
            ),
            "t is the target distribution, p the predicted one, b the base of the logarithm; 0 log 0 is 0.",
        ),
        "kl_divergence": Formula(
            _math(
                _i("D"),
                _paren(_i("t"), _o("‖"), _i("p")),
                _EQ,
                _sum("j", _sub("t", "j"), _paren(_ln(_sub("t", "j")), _MINUS, _sub("q", "j"))),
            ),
            _math(_d(_i("D"), _sub("q", "j")), _EQ, _NEGATIVE, _sub("t", "j")),
            "t is the target distribution, q = ln p are log-probabilities; a target of 0 contributes 0.",
        ),
        "nll_loss": Formula(
            _math(_L, _EQ, _NEGATIVE, _sub("w", "t"), _sub("q", "t")),
            _math(_d(_L, _sub("q", "j")), _EQ, _NEGATIVE, _sub("w", "t"), _sub("δ", "jt")),
            "q are log-probabilities, t the class label, w the weight of a class (1 unless given).",
        ),
        "categorical_cross_entropy": Formula(
            _math(_L, _EQ, _NEGATIVE, _sum("j", _sub("w", "j"), _sub("y", "j"), _log_b(_sub("p", "j")))),
            _math(
                _d(_L, _sub("p", "j")),
                _EQ,
                _NEGATIVE,
                _frac(_row(_sub("w", "j"), _sub("y", "j")), _row(_sub("p", "j"), _ln(_i("b")))),
            ),
            "p are probabilities, y the targets (a label is the distribution that is 1 there), w class weights.",
        ),
        "softmax_cross_entropy": Formula(
            _math(_L, _EQ, _sum("j", _sub("w", "j"), _sub("y", "j"), _paren(_LSE, _MINUS, _sub("x", "j")))),
            _math(_d(_L, _sub("x", "j")), _EQ, _sub("p", "j"), _TOTAL, _MINUS, _sub("w", "j"), _sub("y", "j")),
            "x are logits, p their softmax, y the targets (a label: 1 there, else 0), w class weights, v a direction.",
            _math(
                _sum(
                    "k",
                    _frac(
                        _row(_tag("msup", _o("∂"), _n("2")), _L),
                        _row(_o("∂"), _sub("x", "j"), _o("∂"), _sub("x", "k")),
                    ),
                    _sub("v", "k"),
                ),
                _EQ,
                _sub("p", "j"),
                _paren(_sub("v", "j"), _MINUS, _sum("k", _sub("p", "k"), _sub("v", "k"))),
                _TOTAL,
            ),
        ),
        "binary_cross_entropy": Formula(
            _math(
                _L,
                _EQ,
                _NEGATIVE,
                _i("y"),
                _log_b(_i("p")),
                _MINUS,
                _paren(_ONE, _MINUS, _i("y")),
                _log_b(_paren(_ONE, _MINUS, _i("p"))),
            ),
            _math(
                _d(_L, _i("p")),
                _EQ,
                _frac(_row(_i("p"), _MINUS, _i("y")), _row(_i("p"), _paren(_ONE, _MINUS, _i("p")), _ln(_i("b")))),
            ),
            "p is the probability of the positive class, y the target in [0, 1], v a direction; 0 log 0 is 0.",
            _math(
                _curvature(_i("p")),
                _i("v"),
                _EQ,
                _frac(_i("v"), _ln(_i("b"))),
                _paren(
                    _frac(_i("y"), _sup(_i("p"), _n("2"))),
                    _PLUS,
                    _frac(
                        _row(_ONE, _MINUS, _i("y")),
                        _tag("msup", _paren(_ONE, _MINUS, _i("p")), _n("2")),
                    ),
                ),
            ),
        ),
        "binary_cross_entropy_with_logits": Formula(
            _math(
                _L,
                _EQ,
                _i("w"),
                _i("y"),
                _ln(_paren(_ONE, _PLUS, _exp(_row(_NEGATIVE, _i("z"))))),
                _PLUS,
                _paren(_ONE, _MINUS, _i("y")),
                _ln(_paren(_ONE, _PLUS, _exp(_i("z")))),
            ),
            _math(
                _d(_L, _i("z")),
                _EQ,
                _paren(_ONE, _MINUS, _i("y")),
                _SIGMA_Z,
                _MINUS,
                _i("w"),
                _i("y"),
                _paren(_ONE, _MINUS, _SIGMA_Z),
            ),
            "z is the logit, y the target in [0, 1], w the weight of the positive class, σ the logistic function, "
            "v a direction.",
            _math(
                _curvature(_i("z")),
                _i("v"),
                _EQ,
                _paren(_i("w"), _i("y"), _PLUS, _ONE, _MINUS, _i("y")),
                _SIGMA_Z,
                _paren(_ONE, _MINUS, _SIGMA_Z),
                _i("v"),
            ),
        ),
        "binary_focal": Formula(
            _math(
                _L,
                _EQ,
                _NEGATIVE,
                _sub("α", "t"),
                _sup(_paren(_ONE, _MINUS, _TRUE), _i("γ")),
                _ln(_TRUE),
                _o(","),
                _TRUE,
                _EQ,
                _row(_i("σ"), _paren(_o("±"), _i("z"))),
            ),
            _math(
                _frac(_row(_i("d"), _L), _row(_i("d"), _TRUE)),
                _EQ,
                _sub("α", "t"),
                _sup(_paren(_ONE, _MINUS, _TRUE), _row(_i("γ"), _MINUS, _ONE)),
                _paren(_i("γ"), _ln(_TRUE), _MINUS, _frac(_row(_ONE, _MINUS, _TRUE), _TRUE)),
            ),
            "z is the logit, taken with + for the positive and − for the negative class; α weighs the classes.",
        ),
        "categorical_focal": Formula(
            _math(
                _L,
                _EQ,
                _NEGATIVE,
                _sum(
                    "j",
                    _i("α"),
                    _sub("y", "j"),
                    _sup(_paren(_ONE, _MINUS, _sub("p", "j")), _i("γ")),
                    _ln(_sub("p", "j")),
                ),
                _o(","),
                _sub("p", "j"),
                _EQ,
                _SOFTMAX,
            ),
            _math(
                _d(_L, _sub("x", "k")),
                _EQ,
                _sum("j", _d(_L, _sub("p", "j")), _sub("p", "j"), _paren(_sub("δ", "jk"), _MINUS, _sub("p", "k"))),
            ),
            "x are logits, p their softmax, y the targets, α a weight, γ the focusing exponent.",
        ),
        "linear_cross_entropy": Formula(
            _math(
                _L,
                _EQ,
                _sum("j", _sub("w", "j"), _sub("y", "j"), _paren(_LSE, _MINUS, _sub("x", "j"))),
                _o(","),
                _i("x"),
                _EQ,
                _i("W"),
                _i("h"),
                _PLUS,
                _i("b"),
            ),
            _math(
                _d(_L, _i("h")),
                _EQ,
                _sup(_i("W"), _i("T")),
                _i("g"),
                _o(","),
                _d(_L, _i("W")),
                _EQ,
                _i("g"),
                _sup(_i("h"), _i("T")),
                _o(","),
                _d(_L, _i("b")),
                _EQ,
                _i("g"),
            ),
            "h is the hidden state, W the weight, b the bias, g the gradient of softmax cross-entropy at x.",
        ),
    }
)
