import com.microsoft.azure.AzureEnvironment;
import com.microsoft.azure.credentials.AppServiceMSICredentials;
import com.microsoft.azure.credentials.MSICredentials;

/** azure-client-authentication, the login of the first azure-mgmt-* packages of Java. */
public final class Driver {
  public static void main(String[] args) throws Exception {
    String kind = args.length > 2 ? args[2] : "none";
    String token =
        args[0].equals("app-service")
            ? new AppServiceMSICredentials(AzureEnvironment.AZURE).getToken(args[1])
            : virtualMachine(kind, args).getToken(args[1]);
    System.out.printf("{\"token\":\"%s\"}%n", token);
    System.exit(0);
  }

  @SuppressWarnings("deprecation")
  private static MSICredentials virtualMachine(String kind, String[] args) {
    // With a port, it posts a form to localhost as it did to the VM extension.
    MSICredentials credentials =
        args[0].equals("vm-extension")
            ? new MSICredentials(AzureEnvironment.AZURE, 50342)
            : new MSICredentials(AzureEnvironment.AZURE);
    return switch (kind) {
      case "client-id" -> credentials.withClientId(args[3]);
      case "object-id" -> credentials.withObjectId(args[3]);
      case "resource-id" -> credentials.withIdentityId(args[3]);
      default -> credentials;
    };
  }
}
