//! reading what people write.
