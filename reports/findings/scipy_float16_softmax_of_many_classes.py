"""softmax of 131,075 classes in float16.

Every probability is about 8e-6, a subnormal number that float16 holds; all of them come back as 0.

The exponentials of the row are added up in float16, where a sum above 65504 is infinite.

Needs NumPy and SciPy. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import scipy.special

logits = np.resize(np.array([0.0, -0.1, -0.3], dtype=np.float16), (1, 131075))

print("scipy", scipy.__version__, "numpy", np.__version__)
wide = logits.astype(np.float64)
expected = (np.exp(wide) / np.sum(np.exp(wide)))[0, 0]
observed = float(scipy.special.softmax(logits, axis=1)[0, 0])
print("expected (to 16 digits):", expected)
print("observed:", observed)
sys.exit(0 if abs(observed - expected) <= 2.0**-24 else 1)
