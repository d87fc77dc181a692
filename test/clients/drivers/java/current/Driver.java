import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.microsoft.aad.msal4j.IAuthenticationResult;
import com.microsoft.aad.msal4j.ManagedIdentityApplication;
import com.microsoft.aad.msal4j.ManagedIdentityId;
import com.microsoft.aad.msal4j.ManagedIdentityParameters;

/** azure-identity's credentials, or msal4j without it: VARIANT RESOURCE [KIND ID]. */
public final class Driver {
  public static void main(String[] args) throws Exception {
    String kind = args.length > 2 ? args[2] : "none";
    String id = args.length > 3 ? args[3] : null;
    if (args[0].equals("msal4j")) {
      msal4j(args[1], kind, id);
    } else {
      TokenCredential credential = args[0].equals("default") ? chain(id) : managedIdentity(kind, id);
      TokenRequestContext context = new TokenRequestContext().addScopes(args[1] + "/.default");
      print(credential.getTokenSync(context));
      if (isAskedAgain()) {
        print(credential.getTokenSync(context));
      }
    }
    System.exit(0);
  }

  private static TokenCredential chain(String clientId) {
    return new DefaultAzureCredentialBuilder().managedIdentityClientId(clientId).build();
  }

  private static TokenCredential managedIdentity(String kind, String id) {
    ManagedIdentityCredentialBuilder builder = new ManagedIdentityCredentialBuilder();
    switch (kind) {
      case "client-id" -> builder.clientId(id);
      case "object-id" -> builder.objectId(id);
      case "resource-id" -> builder.resourceId(id);
      default -> {}
    }
    return builder.build();
  }

  private static void msal4j(String resource, String kind, String id) throws Exception {
    ManagedIdentityId identity =
        switch (kind) {
          case "client-id" -> ManagedIdentityId.userAssignedClientId(id);
          case "object-id" -> ManagedIdentityId.userAssignedObjectId(id);
          case "resource-id" -> ManagedIdentityId.userAssignedResourceId(id);
          default -> ManagedIdentityId.systemAssigned();
        };
    ManagedIdentityApplication application = ManagedIdentityApplication.builder(identity).build();
    ManagedIdentityParameters parameters = ManagedIdentityParameters.builder(resource).build();
    print(application.acquireTokenForManagedIdentity(parameters).get());
    if (isAskedAgain()) {
      print(application.acquireTokenForManagedIdentity(parameters).get());
    }
  }

  /** If the client is to print a second token, waits until the first one has ended, and returns true. */
  private static boolean isAskedAgain() throws InterruptedException {
    String seconds = System.getenv("WIMDS_TEST_AGAIN_AFTER");
    if (seconds == null) {
      return false;
    }
    Thread.sleep(Long.parseLong(seconds) * 1000);
    return true;
  }

  private static void print(AccessToken token) {
    print(token.getToken(), token.getExpiresAt().toEpochSecond());
  }

  private static void print(IAuthenticationResult result) {
    print(result.accessToken(), result.expiresOnDate().toInstant().getEpochSecond());
  }

  private static void print(String token, long expiresOn) {
    System.out.printf("{\"token\":\"%s\",\"expiresOn\":%d}%n", token, expiresOn);
  }
}
