//! the rules of the rooms.
