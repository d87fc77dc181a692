import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;

/** azure-identity 1.2, whose probe of IMDS is a connection that sends nothing. */
public final class Driver {
  public static void main(String[] args) throws InterruptedException {
    String clientId = args.length > 3 ? args[3] : null;
    TokenCredential credential =
        args[0].equals("default")
            ? new DefaultAzureCredentialBuilder().managedIdentityClientId(clientId).build()
            : new ManagedIdentityCredentialBuilder().clientId(clientId).build();
    TokenRequestContext context = new TokenRequestContext().addScopes(args[1] + "/.default");
    print(credential.getToken(context).block());
    String seconds = System.getenv("WIMDS_TEST_AGAIN_AFTER");
    if (seconds != null) {
      // After this time the first token has ended.
      Thread.sleep(Long.parseLong(seconds) * 1000);
      print(credential.getToken(context).block());
    }
    System.exit(0);
  }

  private static void print(AccessToken token) {
    System.out.printf(
        "{\"token\":\"%s\",\"expiresOn\":%d}%n",
        token.getToken(), token.getExpiresAt().toEpochSecond());
  }
}
