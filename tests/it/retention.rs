//! retention against brute force.
