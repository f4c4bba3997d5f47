"""The commands of `salus chain`, a file for each kind of work; `salus_chain.cli` lists them."""
