//! Derives the grade of an endpoint.
