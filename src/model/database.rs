//! Facts about databases: the data of the `db.*` observation kinds.
