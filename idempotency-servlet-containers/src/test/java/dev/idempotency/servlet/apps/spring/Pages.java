package dev.idempotency.servlet.apps.spring;

import dev.idempotency.servlet.apps.Shop;
import org.springframework.stereotype.Controller;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseBody;

/** Answers with views, as a site for browsers does. */
@Controller
class Pages {

  private final Shop shop;

  Pages(Shop shop) {
    this.shop = shop;
  }

  @PostMapping("/pages/redirect")
  String redirect(@RequestParam String item) {
    return "redirect:/thanks/" + shop.place(item, 1).id();
  }

  @PostMapping("/pages/forward")
  String forward(@RequestParam String item) {
    return "forward:/pages/thanks/" + shop.place(item, 1).id();
  }

  @PostMapping("/pages/thanks/run-1")
  @ResponseBody
  String thanks(@RequestParam String item) {
    return "Thanks for " + item;
  }
}
