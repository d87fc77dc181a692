import io.opentelemetry.contrib.azure.resource.AzureVmResourceProvider;
import io.opentelemetry.sdk.autoconfigure.spi.internal.DefaultConfigProperties;
import java.util.Map;
import java.util.stream.Collectors;

/** opentelemetry-azure-resources: prints the attributes that its detector of virtual machines reports. */
public final class Driver {
  public static void main(String[] args) {
    var resource =
        new AzureVmResourceProvider()
            .createResource(DefaultConfigProperties.createFromMap(Map.of()));
    String members =
        resource.getAttributes().asMap().entrySet().stream()
            .map(entry -> "\"%s\":\"%s\"".formatted(entry.getKey().getKey(), entry.getValue()))
            .collect(Collectors.joining(","));
    System.out.printf("{\"attributes\":{%s}}%n", members);
    System.exit(0);
  }
}
