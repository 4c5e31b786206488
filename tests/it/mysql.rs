//! MySQL 8, of which no server is to be had: its answers as the manual has them, by a scripted server.
