"""What an adapter is: the contract between the harness and an implementation of the losses.

An adapter is a class without base class, constructed without arguments inside a worker process, with two methods:

    class MyLosses:
        def describe(self) -> Description: ...
        def evaluate(self, call: Call) -> Answer: ...

`describe` says once what the adapter connects and what it can do; `evaluate` runs one loss on one input. It raises
`Unsupported(reason)` for what the implementation does not offer; every other exception is what the implementation
itself did with the input, and becomes the outcome `raises`.

An adapter imports NumPy, its framework and this module, nothing else of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.core.arrays import Array
from harness.core.call import HANDED_IN, Call, Unsupported

__all__ = ["ALL_DTYPES", "HANDED_IN", "Adapter", "Answer", "Array", "Call", "Description", "Prepared", "Unsupported"]

ALL_DTYPES = ("float64", "float32", "float16", "bfloat16")
"""The formats of calls; bfloat16 is stored as the sixteen bits that it is, in uint16."""


@dataclass(frozen=True)
class Description:
    """What an adapter connects. Everything here goes into the header of the run.

    Attributes
    ----------
    version : str
        Version of the implementation under test.
    losses : tuple of str
        Names of the losses it computes; a call for any other is `unsupported` without being sent.
    modes : tuple of str
        Ways it can run: eager, graph, xla, jit, compile. The first is the default.
    dtypes : tuple of str
        Formats it takes, among `ALL_DTYPES`.
    gradients : bool
        False where the implementation computes values only.
    flush_to_zero : bool
        True where subnormal numbers become zero: the floor of the agreement is then the smallest normal number.
    versions : mapping of str to str
        Versions of what it rests on, by package name.
    device : str
        Where it computes: "cpu" …
    threads : int
        How many it computes with.
    flags : mapping of str to str
        Settings that change numbers, environment variables among them, without any private path.
    facts : mapping of str to str
        What of this machine changes its numbers: names and values of `harness.core.machine_facts`.
    mode_losses : mapping of str to tuple of str
        By mode, other than the first, that is about some of `losses` only: which. Nothing else is asked in it.
    mode_tags : mapping of str to str
        By mode, other than the first, that is about the cases of one tag only: which. Nothing else is asked in it.
    outputs : tuple of str
        What its calls can return beside the value: names of `harness.core.outputs.OUTPUTS`.
    truth : str
        Of a loss that the family lacks and that is called like one of `losses`: the module:function that says what is
        true of it (`harness.runs.own_truth`); it is imported where the run is judged. Empty: the reference.
    error_scale : str
        The module:function of its error scales; empty: the conditioning of `truth` is measured.

    Examples
    --------
    >>> Description(version="1.0", losses=("softmax_cross_entropy",), gradients=False).modes
    ('eager',)
    """

    version: str
    losses: tuple[str, ...]
    modes: tuple[str, ...] = ("eager",)
    dtypes: tuple[str, ...] = ALL_DTYPES
    gradients: bool = True
    flush_to_zero: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    threads: int = 1
    flags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    mode_losses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mode_tags: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    truth: str = ""
    error_scale: str = ""

    def modes_of(self, loss: str, tags: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The modes in which a case is asked for.

        Parameters
        ----------
        loss : str
            Its loss, one of `losses`.
        tags : tuple of str
            Its tags.

        Returns
        -------
        tuple of str
            Of `modes`, in their order.

        Examples
        --------
        >>> kernels = {"chunked": ("linear_cross_entropy",)}
        >>> losses = ("softmax", "linear_cross_entropy")
        >>> Description("1.0", losses, modes=("eager", "chunked"), mode_losses=kernels).modes_of("softmax")
        ('eager',)
        """
        asked = (mode for mode in self.modes if loss in self.mode_losses.get(mode, self.losses))
        return tuple(mode for mode in asked if mode not in self.mode_tags or self.mode_tags[mode] in tags)


@dataclass(frozen=True)
class Answer:
    """What the implementation returned.

    Attributes
    ----------
    value : Array
        The loss, in the shape and type the implementation gives it.
    function : str
        The public function or class that was called, as a user would write it: torch.nn.functional.cross_entropy.
    gradients : mapping of str to Array
        By name of the input. One that was asked for and is absent counts as unsupported.
    gradient_error : BaseException or None
        What was raised while differentiating, where the value itself could be computed.
    hessian_vector : Array or None
        The product of the Hessian with `Call.vector`. Absent though asked for counts as unsupported.
    hessian_error : BaseException or None
        What was raised while differentiating a second time, where the first derivative could be computed.
    directional : Array or None
        The derivative of the value along `Call.vector`, by forward-mode differentiation: in the shape of the value,
        without the cotangent. Absent though asked for counts as unsupported.
    directional_error : BaseException or None
        What was raised by it, where the value itself could be computed.
    outputs : mapping of str to Array
        What `Call.outputs` asks for, by name. One that is absent counts as unsupported.
    convention : mapping of str to object, or None
        The documented convention under which this implementation computes this very call, where it is not the plain
        mathematics: ``{"clip": 1e-7}``, ``{"log_clamp": -100.0, "gradient_clamp": 1e-12}``, ``{"denominator":
        "count"}``. The names and their meaning are in `reference.conventions`; they apply in the order given. Two more
        are no mathematics: ``{"result_dtype": "float64"}`` declares that the answer is documented to come back in that
        type, ``{"computed_in": "bfloat16"}`` that it is documented to be computed in that coarser one.
    computed_with : mapping of str to str
        Anything else worth attesting: the dtype the framework really computed in, a reduction's name.

    Examples
    --------
    >>> Answer(Array.of(0.25, "float32"), function="tinyloss.cross_entropy").value.dtype
    'float32'
    """

    value: Array
    function: str
    gradients: Mapping[str, Array] = field(default_factory=dict)
    gradient_error: BaseException | None = None
    hessian_vector: Array | None = None
    hessian_error: BaseException | None = None
    directional: Array | None = None
    directional_error: BaseException | None = None
    outputs: Mapping[str, Array] = field(default_factory=dict)
    convention: Mapping[str, Any] | None = None
    computed_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A call whose data is in place, in the implementation's own type, so that what is timed is the implementation.

    An adapter may offer `prepare(call) -> Prepared` beside `evaluate`. Where it does not, what is timed is `evaluate`:
    right for implementations whose own type is the NumPy array of the call.

    Attributes
    ----------
    run : callable without arguments
        Computes the value, and the gradients the call asks for; returns when they are complete, not when they are
        under way. Called many times; each call does all of the work.
    answer : callable from what `run` returned to Answer
        The answer in it: what is timed is also what is judged.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Answer]


class Adapter(Protocol):
    """The two methods. Nothing needs to inherit from this.

    Examples
    --------
    >>> class TwoClasses:
    ...     def describe(self) -> Description:
    ...         return Description(version="1", losses=("softmax",))
    ...
    ...     def evaluate(self, call: Call) -> Answer:
    ...         call.refuse_options_except("axis")
    ...         raise Unsupported("nothing yet")
    >>> adapter: Adapter = TwoClasses()
    """

    def describe(self) -> Description:
        """What is connected; asked once, before any call.

        Returns
        -------
        Description
            The versions, losses, modes and dtypes.

        Raises
        ------
        Exception
            Where the implementation cannot be loaded: its cells are then `missing`.
        """
        ...

    def evaluate(self, call: Call) -> Answer:
        """One loss on one input.

        Parameters
        ----------
        call : Call
            The loss, its inputs and options, the dtype and mode, and what is to be differentiated.

        Returns
        -------
        Answer
            Value and gradients as the implementation gave them: neither cast nor reshaped nor checked.

        Raises
        ------
        Unsupported
            The implementation offers no such loss, option, dtype or mode.
        Exception
            Anything else is what the implementation did with the input, and becomes the outcome `raises`.
        """
        ...
