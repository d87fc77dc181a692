//! object_store's Azure builder (delta-rs, polars, DataFusion): its credential, as a request to
//! storage would carry it. The crate fixes the resource to https://storage.azure.com.
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(3);
    let builder = MicrosoftAzureBuilder::from_env()
        .with_account("account")
        .with_container_name("container");
    let builder = match (args.next().as_deref(), args.next()) {
        (Some("client-id"), Some(id)) => builder.with_client_id(id),
        (Some("object-id"), Some(id)) => {
            builder.with_config(object_store::azure::AzureConfigKey::ObjectId, id)
        }
        (Some("resource-id"), Some(id)) => {
            builder.with_config(object_store::azure::AzureConfigKey::MsiResourceId, id)
        }
        _ => builder,
    };
    let credential = builder.build()?.credentials().get_credential().await?;
    match credential.as_ref() {
        AzureCredential::BearerToken(token) => {
            println!("{}", serde_json::json!({ "token": token }));
            Ok(())
        }
        _ => Err("object_store chose a credential that is not a bearer token".into()),
    }
}
