//! The engine: one owner of all bindings.
