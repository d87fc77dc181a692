import org.apache.hadoop.fs.azurebfs.oauth2.AzureADToken;
import org.apache.hadoop.fs.azurebfs.oauth2.MsiTokenProvider;

/** Hadoop ABFS' MsiTokenProvider, as configured by fs.azure.account.oauth2.msi.*. */
public final class Driver {

  public static void main(String[] args) throws Exception {
    String clientId = args.length > 3 ? args[3] : "";
    String tenant = System.getenv("WIMDS_TEST_TENANT_ID");
    String host =
        System.getenv()
            .getOrDefault("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254");
    String endpoint = host + "/metadata/identity/oauth2/token";
    MsiTokenProvider provider =
        new MsiTokenProvider(endpoint, tenant, clientId, "https://login.microsoftonline.com/");
    AzureADToken token = provider.getToken();
    System.out.printf(
        "{\"token\":\"%s\",\"expiresOn\":%d}%n",
        token.getAccessToken(), token.getExpiry().toInstant().getEpochSecond());
    System.exit(0);
  }
}
