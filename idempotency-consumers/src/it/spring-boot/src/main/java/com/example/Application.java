package com.example;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import jakarta.servlet.DispatcherType;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;

@SpringBootApplication
public class Application {

  public static void main(String... arguments) {
    SpringApplication.run(Application.class, arguments);
  }

  @Bean(destroyMethod = "close")
  RedisIdempotencyStore store(@Value("${redis}") String uri) {
    return RedisIdempotencyStore.builder().namespace("payments").uri(uri).build();
  }

  @Bean(destroyMethod = "close")
  IdempotencyEngine engine(RedisIdempotencyStore store) {
    return IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  }

  @Bean
  FilterRegistrationBean<IdempotencyFilter> idempotency(IdempotencyEngine engine) {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .scopeByHeader("X-Api-Key")
            .everyRoute(RoutePolicy.required())
            .build();
    FilterRegistrationBean<IdempotencyFilter> registration = new FilterRegistrationBean<>(filter);
    registration.setDispatcherTypes(
        DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.FORWARD);
    registration.setOrder(-99);
    return registration;
  }
}
