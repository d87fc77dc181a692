//! azure_identity's ManagedIdentityCredential, which has the IMDS address built in.
use azure_core::credentials::TokenCredential;
use azure_identity::{
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(2);
    let resource = args.next().ok_or("usage: azure_identity VARIANT RESOURCE [KIND ID]")?;
    let user_assigned_id = match (args.next().as_deref(), args.next()) {
        (Some("client-id"), Some(id)) => Some(UserAssignedId::ClientId(id)),
        (Some("object-id"), Some(id)) => Some(UserAssignedId::ObjectId(id)),
        (Some("resource-id"), Some(id)) => Some(UserAssignedId::ResourceId(id)),
        _ => None,
    };
    let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id,
        ..Default::default()
    }))?;
    let scope = format!("{resource}/.default");
    print_token(&*credential, &scope).await?;
    if let Ok(seconds) = std::env::var("WIMDS_TEST_AGAIN_AFTER") {
        // After this time the first token has ended.
        std::thread::sleep(std::time::Duration::from_secs(seconds.parse()?));
        print_token(&*credential, &scope).await?;
    }
    Ok(())
}

async fn print_token(credential: &dyn TokenCredential, scope: &str) -> Result<(), Box<dyn Error>> {
    let token = credential.get_token(&[scope], None).await?;
    let answer = serde_json::json!({
        "token": token.token.secret(),
        "expiresOn": token.expires_on.unix_timestamp(),
    });
    println!("{answer}");
    Ok(())
}
