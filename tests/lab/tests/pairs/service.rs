//! One of the two fails, and the clients do not notice.
