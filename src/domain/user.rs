//! People and what they may do in a tenant.

use super::job::text_enum;

text_enum! {
    /// What a member may do. Each role includes the ones below it.
    Role {
        /// Everything, members, keys and the recovery sheet included.
        Owner = "owner",
        /// Sources, backups, restores.
        Operator = "operator",
        /// Look, never change or restore.
        Viewer = "viewer",
    }
}

impl Role {
    /// True if this role includes `wanted`.
    pub fn includes(self, wanted: Role) -> bool {
        self.rank() >= wanted.rank()
    }

    fn rank(self) -> u8 {
        match self {
            Self::Owner => 2,
            Self::Operator => 1,
            Self::Viewer => 0,
        }
    }
}
