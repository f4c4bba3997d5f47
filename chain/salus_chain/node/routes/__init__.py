"""The paths of a validator's HTTP interface, a file for each kind of question; `salus_chain.node.rpc` lists them."""
