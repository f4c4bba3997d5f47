"""The paths of a validator's HTTP interface, a file for each kind of question; `node.http.rpc` lists them."""
