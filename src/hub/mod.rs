//! The control plane: actions, scheduler, web. Never touches a customer's host and carries no backup data.
