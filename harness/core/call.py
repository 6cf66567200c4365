"""A call: a case in a dtype, realized, the way everybody sees it; and the question that asks an implementation for it.

`harness.suite.calls.call_of` makes it of a case, for the truth, the reproduction and the certificate; a worker makes it
of a line of the protocol, and `xent.keyword_calls` of the arguments of `xent.assert_close`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.arrays import Array
from harness.core.case import Case

HANDED_IN = "denominator handed in"
"""The option `denominator` where it is a number."""


class Unsupported(Exception):  # noqa: N818 - a statement about the implementation, not an error
    """The implementation offers no such loss, option, dtype or mode. The reason is shown in the report."""


@dataclass(frozen=True)
class Call:
    """One loss, on one input, in one mode. Names of losses, inputs and options are those of the reference.

    Attributes
    ----------
    loss : str
        A name of `reference.LOSSES`.
    inputs : mapping of str to Array
        By name, e.g. logits and targets. Floating inputs already have the dtype of the call.
    options : mapping of str to object
        By name; arrays such as class_weights are `Array`. Options left at their default are absent, except
        `reduction`, which is always present for a loss that has one. Where `denominator` is absent a mean divides by
        the sum of the weights if there are class weights, else by the number of rows that are not ignored if rows can
        be, else by the number of elements.
    dtype : str
        float64, float32, float16 or bfloat16.
    mode : str
        The way to run, one of those that `Description.modes` names.
    differentiate : tuple of str
        Names of the inputs to differentiate with respect to.
    cotangent : Array or None
        What the value is multiplied with (elementwise, then summed) before differentiating, in its shape; None: all
        ones.
    vector : Array or None
        Where given, derivatives along this vector are asked for besides, which has the shape of the first of
        `differentiate`: that of the value (forward mode), and that of the gradient, the product of the Hessian with it.
    outputs : tuple of str
        What is to be returned beside the value: names of `harness.core.outputs.OUTPUTS`.

    Examples
    --------
    >>> from harness.core.arrays import Array
    >>> inputs = {"logits": Array.of([[2.0, -1.0]], "bfloat16"), "targets": Array.of([0], "int64")}
    >>> call = Call("softmax_cross_entropy", inputs, {"reduction": "mean"}, "bfloat16", differentiate=("logits",))
    >>> call.inputs["logits"].to_float64()
    array([[ 2., -1.]])
    """

    loss: str
    inputs: Mapping[str, Array]
    options: Mapping[str, Any]
    dtype: str
    mode: str = "eager"
    differentiate: tuple[str, ...] = ()
    cotangent: Array | None = None
    vector: Array | None = None
    outputs: tuple[str, ...] = ()

    def refuse_options_except(self, *understood: str, of: str = "") -> None:
        """Say that an option is not offered.

        Parameters
        ----------
        *understood : str
            Names of the options that are; `HANDED_IN` where a mean divides by a number that is given.
        of : str
            The public function that has no such parameter, as a user would write it.

        Raises
        ------
        Unsupported
            Naming the first option of the call that is not among them.

        Examples
        --------
        >>> Call("softmax", {}, {"axis": 0}, "float32").refuse_options_except("axis")
        """
        for name in self.options:
            if name not in understood:
                raise Unsupported(f"{of} has no {name}" if of else f"no option {name}")
        denominator = self.options.get("denominator")
        if denominator is not None and not isinstance(denominator, str) and HANDED_IN not in understood:
            raise Unsupported(f"{of} has no denominator" if of else "no option denominator that takes a number")

    def refuse_inputs_except(self, *understood: str) -> None:
        """Say that the loss is not offered of these inputs, where a loss is of several kinds.

        Parameters
        ----------
        *understood : str
            Names of the inputs that are.

        Raises
        ------
        Unsupported
            Naming the first input of the call that is not among them.

        Examples
        --------
        >>> Call("entropy", {}, {}, "float32").refuse_inputs_except("probabilities")
        """
        for name in self.inputs:
            if name not in understood:
                raise Unsupported(f"no {self.loss} of {name}")


def default_denominator(options: Mapping[str, Any]) -> str:
    """What a mean divides by where the call does not say: `weights`, `valid` or `count`.

    The reference and the certificate state the rule each for themselves, being independent of this.
    """
    if options.get("class_weights") is not None:
        return "weights"
    return "valid" if options.get("ignore_index") is not None else "count"


def stated(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as an implementation is told them: a mean says what it divides by, be it the default."""
    if options.get("reduction") != "mean":
        return dict(options)
    return {"denominator": default_denominator(options), **options}


@dataclass(frozen=True)
class Question:
    """One call to one implementation."""

    implementation: str
    case: Case
    dtype: str
    mode: str
    part: str = ""
    """Which of the calls besides a case this is, of those its invariances speak of; empty for the case itself."""
    of: Case | None = None
    """The case that was written, where this is a call besides it."""
    threads: int = 1
    """How many threads the implementation may use for it."""

    @property
    def home(self) -> Case:
        """The case that was written."""
        return self.of or self.case
