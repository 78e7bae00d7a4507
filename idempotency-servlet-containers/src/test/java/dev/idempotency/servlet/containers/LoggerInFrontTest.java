package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.filter.ShallowEtagHeaderFilter;
import org.springframework.web.util.ContentCachingResponseWrapper;

/**
 * A filter in front wraps the response and does something with it when the chain returns; of
 * asynchronous requests it knows nothing, or little. What waits behind it gets its answer, or an
 * error, but never an empty success.
 */
class LoggerInFrontTest extends InCompany {

  /** Filters as applications have them. */
  enum Logger {
    CONTENT_CACHING(true, Logger::caching, Mapped::forRequests),
    CONTENT_CACHING_IN_EACH_DISPATCH(true, Logger::caching, Mapped::asDocumented),
    CONTENT_CACHING_ONCE(true, Logger::cachingOnce, Mapped::asDocumented),
    ETAGS(true, ShallowEtagHeaderFilter::new, Mapped::asDocumented),
    OWN_BUFFER(true, () -> collecting(false), Mapped::forRequests),
    OWN_BUFFER_WITH_LENGTH(false, () -> collecting(true), Mapped::forRequests),
    GZIP(false, Logger::gzip, Mapped::forRequests),
    FLUSHES(
        false,
        () ->
            (request, response, chain) -> {
              chain.doFilter(request, response);
              response.flushBuffer();
            },
        Mapped::forRequests);

    /** Whether its wrapper can be got past; else the duplicate is told to come back. */
    private final boolean passable;

    private final java.util.function.Supplier<Filter> filter;
    private final Function<Filter, Mapped> mapping;

    Logger(
        boolean passable,
        java.util.function.Supplier<Filter> filter,
        Function<Filter, Mapped> mapping) {
      this.passable = passable;
      this.filter = filter;
      this.mapping = mapping;
    }

    Mapped mapped() {
      return mapping.apply(filter.get());
    }

    private static Filter caching() {
      return (request, response, chain) -> {
        ContentCachingResponseWrapper wrapper =
            new ContentCachingResponseWrapper((HttpServletResponse) response);
        chain.doFilter(request, wrapper);
        wrapper.copyBodyToResponse();
      };
    }

    private static Filter cachingOnce() {
      return new OncePerRequestFilter() {
        @Override
        protected void doFilterInternal(
            HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
          caching().doFilter(request, response, chain);
        }
      };
    }

    private static Filter collecting(boolean withLength) {
      return (request, response, chain) -> {
        Collecting wrapper =
            new Collecting((HttpServletResponse) response, new ByteArrayOutputStream());
        chain.doFilter(request, wrapper);
        wrapper.getWriter().flush();
        byte[] collected = ((ByteArrayOutputStream) wrapper.target).toByteArray();
        if (withLength) {
          response.setContentLength(collected.length);
        }
        response.getOutputStream().write(collected);
      };
    }

    private static Filter gzip() {
      return (request, response, chain) -> {
        HttpServletResponse http = (HttpServletResponse) response;
        http.setHeader("Content-Encoding", "gzip");
        GZIPOutputStream gzip = new GZIPOutputStream(response.getOutputStream());
        chain.doFilter(request, new Collecting(http, gzip));
        gzip.close();
      };
    }
  }

  /** As in every other tutorial: the streams alone are replaced. */
  private static final class Collecting extends HttpServletResponseWrapper {
    private final OutputStream target;
    private final PrintWriter writer;

    Collecting(HttpServletResponse response, OutputStream target) {
      super(response);
      this.target = target;
      this.writer = new PrintWriter(target, true, UTF_8);
    }

    @Override
    public void setContentLength(int length) {}

    @Override
    public void setContentLengthLong(long length) {}

    @Override
    public PrintWriter getWriter() {
      return writer;
    }

    @Override
    public ServletOutputStream getOutputStream() {
      return new ServletOutputStream() {
        @Override
        public void write(int b) throws IOException {
          target.write(b);
        }

        @Override
        public boolean isReady() {
          return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {}
      };
    }
  }

  private final CountDownLatch go = new CountDownLatch(1);

  /** The first one ends when it is let go, with this status; the others at once. */
  private Handler handler(int first) {
    return (request, response) -> {
      int run = runs.incrementAndGet();
      if (run == 1) {
        await();
        response.setStatus(first);
        response.getWriter().print("the first one");
      } else {
        response.setStatus(201);
        response.getWriter().print("run " + run);
      }
    };
  }

  private void await() {
    try {
      assertThat(go.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private HttpResponse<String> waiterBehind(Logger logger, int first) throws Exception {
    Company company = serve(List.of(logger.mapped(), idempotency()), handler(first));
    var unused = company.send(WAITING, "k");
    until("the first one runs", () -> runs.get() == 1);
    CompletableFuture<HttpResponse<String>> waiter = company.send(WAITING, "k");
    untilADuplicateWaits();
    go.countDown();
    return waiter.get();
  }

  @ParameterizedTest
  @EnumSource
  void aDuplicateGetsTheAnswerAndNeverAnEmptySuccess(Logger logger) throws Exception {
    assertAnswered(logger, waiterBehind(logger, 201), "the first one");
    assertThat(runs).hasValue(1);
  }

  @ParameterizedTest
  @EnumSource
  void aDuplicateWhoseTurnComesGetsItsAnswerAndNeverAnEmptySuccess(Logger logger) throws Exception {
    assertAnswered(logger, waiterBehind(logger, 429), "run 2");
    // A retry, without the logger in front.
    Company bare = serve(List.of(idempotency()), handler(429));
    assertThat(bare.post(WAITING, "k").body()).isEqualTo("run 2");
    assertThat(runs).hasValue(2);
  }

  private static void assertAnswered(Logger logger, HttpResponse<String> answer, String body) {
    if (answer.statusCode() < 400 || logger.passable) {
      assertThat(answer.statusCode()).isEqualTo(201);
      assertThat(answer.body()).isEqualTo(body);
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "GZIP")
  void controlWhatDoesNotWaitPassesEachOfThem(Logger logger) throws Exception {
    Company company = serve(List.of(logger.mapped(), idempotency()), counting());

    assertRunsOnce(company, WAITING);
  }
}
