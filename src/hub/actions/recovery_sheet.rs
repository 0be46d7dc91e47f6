//! The recovery sheet: what opens the tenant's backups without xVault. Holds the private key; the one place
//! where it leaves the hub, for an owner, audited.

use secrecy::{ExposeSecret, SecretString};

use super::{ActionError, Actor, audit, file_keys};
use crate::{db::tenants, domain::user::Role, hub::Hub};

/// Writes the sheet, as plain text.
pub async fn create(hub: &Hub, actor: &Actor) -> Result<SecretString, ActionError> {
    actor.require(Role::Owner)?;
    let now = hub.clock.now();
    let mut tx = hub.begin().await?;
    let tenant = tenants::get(&mut tx, &actor.tenant_id)
        .await?
        .ok_or(ActionError::NotFound("tenant"))?;
    let key = hub.data_key(&mut tx, &actor.tenant_id).await?;
    let identities = file_keys::identities(&mut tx, &key, &actor.tenant_id).await?;
    tenants::set_recovery_sheet_downloaded(&mut tx, &actor.tenant_id, now).await?;
    audit::record(&mut tx, actor, "tenant.recovery_sheet", None).await?;
    hub.commit(tx).await?;

    let mut sheet = format!(
        "# xVault recovery sheet\n\
         # Tenant: {} ({})\n\
         # Written: {}\n\
         #\n\
         # Whoever has this file can read every backup of this tenant. Print it or keep it offline.\n\
         # The file is also an age identity file: save it as recovery-sheet.txt and use it as it is.\n\n",
        tenant.name.replace(char::is_control, " "),
        tenant.id,
        now.format("%Y-%m-%d %H:%M:%S UTC"),
    );
    for (recipient, identity) in identities {
        sheet.push_str(&format!(
            "# public key: {recipient}\n{}\n",
            identity.secret().expose_secret()
        ));
    }
    sheet.push_str(HOW_TO);
    Ok(sheet.into())
}

/// Every line is a comment, so that the whole sheet is a valid identity file.
const HOW_TO: &str = "
# A backup is a directory on a worker's storage:
#   tenants/<tenant>/sources/<source>/snapshots/<snapshot>/
#     backup.tar.zst.enc   the files: tar, compressed by zstd, encrypted by age
#     index.enc            the list of files: encrypted by age (compressed by zstd inside)
#     manifest.json        what the backup is, with the SHA-256 of the two files above
#     meta.json            the ids, for rebuilding xVault's catalogue
# The dashboard and the API name the directory of each snapshot (`locator`).
#
# Check that nothing was damaged; both sums stand in manifest.json:
#   sha256sum backup.tar.zst.enc index.enc
#
# See what is inside, then take out everything or one path (tools: age, zstd, tar):
#   age -d -i recovery-sheet.txt backup.tar.zst.enc | zstd -d | tar tvf -
#   age -d -i recovery-sheet.txt backup.tar.zst.enc | zstd -d | tar xpf - --numeric-owner -C /restore/here
#   age -d -i recovery-sheet.txt backup.tar.zst.enc | zstd -d | tar xpf - -C /restore/here srv/www/index.html
#
# The same with xVault's own tool, which reads only what it needs:
#   xvault artifact verify  --identity recovery-sheet.txt <directory>
#   xvault artifact list    --identity recovery-sheet.txt <directory>
#   xvault artifact extract --identity recovery-sheet.txt <directory>
";
