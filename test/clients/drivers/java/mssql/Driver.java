import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.sql.DriverManager;
import java.util.Properties;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** mssql-jdbc's authentication=ActiveDirectoryManagedIdentity: a whole login to a server. */
public final class Driver {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("authentication", "ActiveDirectoryManagedIdentity");
    properties.setProperty("databaseName", "shop");
    properties.setProperty("trustServerCertificate", "true");
    if (args.length > 3) properties.setProperty("msiClientId", args[3]);
    String url = "jdbc:sqlserver://" + System.getenv("WIMDS_TEST_SQL_SERVER");
    DriverManager.getConnection(url, properties).close();

    HttpClient client = HttpClient.newBuilder().sslContext(trustTestServers()).build();
    URI lastToken = URI.create(System.getenv("WIMDS_TEST_LAST_TOKEN_URL"));
    HttpRequest request = HttpRequest.newBuilder(lastToken).build();
    System.out.printf("{\"token\":\"%s\"}%n", client.send(request, BodyHandlers.ofString()).body());
    System.exit(0);
  }

  private static SSLContext trustTestServers() throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream file = Files.newInputStream(Path.of(System.getenv("WIMDS_TEST_CA_FILE")))) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
