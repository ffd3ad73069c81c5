"""What Streamlit runs: `app.py SETTINGS`, as JSON."""

import sys

from chejil.eval.comparing.page import page

if __name__ == "__main__":
    page(sys.argv[1])
