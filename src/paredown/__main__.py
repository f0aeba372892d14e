"""`python -m paredown`, where the script `paredown` is not on the path."""

import sys

from paredown.cli import main

sys.exit(main())
