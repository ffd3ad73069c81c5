"""The report card of tokenizers: what they cost in tokens, what they cut apart, what of their vocabulary is of use."""
