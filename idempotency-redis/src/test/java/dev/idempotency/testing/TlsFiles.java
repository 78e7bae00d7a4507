package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;

/**
 * A key and its self-signed certificate for 127.0.0.1, made by the JDK's keytool: for a server in
 * PEM, and for clients in a trust store.
 *
 * @param key in PEM
 * @param certificate in PEM
 * @param trustStore in PKCS #12, with {@link #PASSWORD}
 */
public record TlsFiles(Path key, Path certificate, Path trustStore) {

  /** Of the trust store. */
  public static final String PASSWORD = "changeit";

  private static final String ALIAS = "server";

  /** Makes them in a folder. */
  public static TlsFiles in(Path folder) {
    Path store = folder.resolve("key.p12");
    try {
      keytool(store);
      KeyStore keys = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        keys.load(in, PASSWORD.toCharArray());
      }
      return new TlsFiles(
          pem(folder, "PRIVATE KEY", keys.getKey(ALIAS, PASSWORD.toCharArray()).getEncoded()),
          pem(folder, "CERTIFICATE", keys.getCertificate(ALIAS).getEncoded()),
          trustStore(folder, keys));
    } catch (IOException | GeneralSecurityException e) {
      throw new IllegalStateException("no key for TLS", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static void keytool(Path store) throws IOException, InterruptedException {
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                ALIAS,
                "-keyalg",
                "EC",
                "-dname",
                "CN=localhost",
                "-ext",
                "SAN=ip:127.0.0.1,dns:localhost",
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keystore",
                store.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(keytool.getInputStream().readAllBytes(), US_ASCII);
    if (keytool.waitFor() != 0) {
      throw new IOException("keytool: " + said);
    }
  }

  private static Path pem(Path folder, String label, byte[] bytes) throws IOException {
    String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
    String text = "-----BEGIN " + label + "-----\n" + base64 + "\n-----END " + label + "-----\n";
    return Files.writeString(folder.resolve(label.replace(' ', '-') + ".pem"), text);
  }

  private static Path trustStore(Path folder, KeyStore keys)
      throws IOException, GeneralSecurityException {
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry(ALIAS, keys.getCertificate(ALIAS));
    Path file = folder.resolve("trust.p12");
    try (var out = Files.newOutputStream(file)) {
      trusted.store(out, PASSWORD.toCharArray());
    }
    return file;
  }

  /** Options of a Redis or a Sentinel that speaks TLS at a port, also with its like. */
  public String[] options(int port) {
    return new String[] {
      "--tls-port", Integer.toString(port),
      "--tls-cert-file", certificate.toString(),
      "--tls-key-file", key.toString(),
      "--tls-ca-cert-file", certificate.toString(),
      "--tls-auth-clients", "no",
      "--tls-replication", "yes"
    };
  }
}
