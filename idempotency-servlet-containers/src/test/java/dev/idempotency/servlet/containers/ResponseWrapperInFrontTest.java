package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.Filter;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayOutputStream;
import java.io.CharArrayWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.web.filter.ForwardedHeaderFilter;
import org.springframework.web.filter.ShallowEtagHeaderFilter;

/** Filters in front that hold back what is written, and send it when the chain has returned. */
class ResponseWrapperInFrontTest extends WithAndWithoutKey {

  enum InFront {
    SHALLOW_ETAG {
      @Override
      Filter filter() {
        return new ShallowEtagHeaderFilter();
      }
    },
    FORWARDED {
      @Override
      Filter filter() {
        return new ForwardedHeaderFilter();
      }
    },
    /** As the Jakarta EE tutorial has it: of the two ways to write, the writer alone. */
    WRITER {
      @Override
      Filter filter() {
        return (request, response, chain) -> {
          Characters held = new Characters((HttpServletResponse) response);
          chain.doFilter(request, held);
          String text = held.text.toString().replace("run", "RUN").replace("title", "TITLE");
          response.getWriter().write(text);
        };
      }
    },
    /** Both ways, and sent whatever happens. */
    BYTES {
      @Override
      Filter filter() {
        return (request, response, chain) -> {
          ByteArrayOutputStream held = new ByteArrayOutputStream();
          Bytes wrapper = new Bytes((HttpServletResponse) response, held);
          try {
            chain.doFilter(request, wrapper);
          } finally {
            wrapper.end();
            response.setContentLength(held.size());
            response.getOutputStream().write(held.toByteArray());
          }
        };
      }
    },
    GZIP {
      @Override
      Filter filter() {
        return (request, response, chain) -> {
          GZIPOutputStream gzip = new GZIPOutputStream(response.getOutputStream());
          ((HttpServletResponse) response).setHeader("Content-Encoding", "gzip");
          Bytes wrapper = new Bytes((HttpServletResponse) response, gzip);
          chain.doFilter(request, wrapper);
          wrapper.end();
          gzip.finish();
        };
      }
    };

    abstract Filter filter();
  }

  private static final class Characters extends HttpServletResponseWrapper {
    private final CharArrayWriter text = new CharArrayWriter();

    Characters(HttpServletResponse response) {
      super(response);
    }

    @Override
    public PrintWriter getWriter() {
      return new PrintWriter(text);
    }
  }

  private static final class Bytes extends HttpServletResponseWrapper {
    private final OutputStream to;
    private final PrintWriter writer;

    Bytes(HttpServletResponse response, OutputStream to) {
      super(response);
      this.to = to;
      this.writer = new PrintWriter(new OutputStreamWriter(to, UTF_8));
    }

    void end() {
      writer.flush();
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
          to.write(b);
        }

        @Override
        public boolean isReady() {
          return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {
          throw new UnsupportedOperationException();
        }
      };
    }
  }

  private static List<Object> sent(HttpResponse<String> response) {
    return List.of(
        response.statusCode(),
        response.body(),
        response.headers().allValues("Content-Type"),
        response.headers().allValues("Content-Encoding"),
        response.headers().allValues("ETag"),
        response.headers().allValues("Location"));
  }

  @ParameterizedTest
  @EnumSource
  void aWrapperInFrontSendsReplaysAndOurAnswersTooAsItSendsTheHandlers(InFront inFront)
      throws Exception {
    serveBehind(
        inFront.filter(),
        (request, response) -> {
          response.setContentType("text/plain;charset=UTF-8");
          response.setHeader("Location", "/orders/7");
          response.setStatus(201);
          response.getWriter().print("the run caf\u00e9");
        });

    List<Object> without = sent(send(post("a")));
    runs.set(0);
    assertThat(sent(send(post("a"), "k"))).isEqualTo(without);
    HttpResponse<String> replay = send(post("a"), "k");
    assertThat(sent(replay)).isEqualTo(without);
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
    HttpResponse<String> reused = send(post("b"), "k");
    assertThat(reused.statusCode()).isEqualTo(422);
    if (inFront == InFront.WRITER) {
      assertThat(reused.body()).contains("\"TITLE\":\"");
    } else if (inFront != InFront.GZIP) {
      assertThat(reused.body()).contains("\"title\":\"");
    }
    assertThat(runs).hasValue(1);
  }
}
