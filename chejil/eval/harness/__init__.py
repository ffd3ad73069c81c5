"""Tasks of lm-evaluation-harness: offline data, the two modes of KoBEST, running, results that are kept."""
