import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Date;

/**
 * mssql-jdbc's Authentication=ActiveDirectoryManagedIdentity. The driver asks for the token in the
 * middle of a login to SQL Server; this calls that step alone.
 */
public final class Driver {
  public static void main(String[] args) throws Exception {
    String clientId = args.length > 3 ? args[3] : "";
    Class<?> utility = Class.forName("com.microsoft.sqlserver.jdbc.SQLServerSecurityUtility");
    Method login =
        Arrays.stream(utility.getDeclaredMethods())
            .filter(method -> method.getName().equals("getManagedIdentityCredAuthToken"))
            .findFirst()
            .orElseThrow();
    login.setAccessible(true);
    Object token = login.invoke(null, args[1], clientId, 20_000L);
    Date expiresOn = (Date) field(token, "expiresOn");
    System.out.printf(
        "{\"token\":\"%s\",\"expiresOn\":%d}%n",
        field(token, "accessToken"), expiresOn.toInstant().getEpochSecond());
    System.exit(0);
  }

  private static Object field(Object target, String name) throws Exception {
    Field field = target.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field.get(target);
  }
}
