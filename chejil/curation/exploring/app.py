"""What Streamlit runs: `app.py RUN FOLDER`."""

import sys

from chejil.curation.exploring.page import page

if __name__ == "__main__":
    page(*sys.argv[1:3])
