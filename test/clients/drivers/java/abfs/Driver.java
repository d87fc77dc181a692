import org.apache.hadoop.fs.azurebfs.oauth2.AzureADToken;
import org.apache.hadoop.fs.azurebfs.oauth2.MsiTokenProvider;

/** Hadoop ABFS' MsiTokenProvider, as configured by fs.azure.account.oauth2.msi.*. */
public final class Driver {
  private static final String ENDPOINT = "http://169.254.169.254/metadata/identity/oauth2/token";

  public static void main(String[] args) throws Exception {
    String clientId = args.length > 3 ? args[3] : "";
    String tenant = System.getenv("WIMDS_TEST_TENANT_ID");
    MsiTokenProvider provider =
        new MsiTokenProvider(ENDPOINT, tenant, clientId, "https://login.microsoftonline.com/");
    AzureADToken token = provider.getToken();
    System.out.printf(
        "{\"token\":\"%s\",\"expiresOn\":%d}%n",
        token.getAccessToken(), token.getExpiry().toInstant().getEpochSecond());
    System.exit(0);
  }
}
