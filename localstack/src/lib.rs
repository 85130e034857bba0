//! Installs, starts and stops the servers Plastron is tested against, and breaks their traffic on request.
