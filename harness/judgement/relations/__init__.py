"""Relations that hold between answers whatever the truth is: for cases of `cases/properties`, and for fuzzing."""

from harness.core.call import BASE
from harness.judgement.relations.catalogue import RELATIONS, Relation
from harness.judgement.relations.judging import judge_relation
from harness.judgement.relations.pose import Equation, Inexpressible, Pose, case_of, pose_of

__all__ = ["BASE", "RELATIONS", "Equation", "Inexpressible", "Pose", "Relation", "case_of", "judge_relation", "pose_of"]
