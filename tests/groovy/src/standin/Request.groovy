// One HTTP request as the rest of the stand-in sees it.
package standin

import com.sun.net.httpserver.HttpExchange
import groovy.transform.CompileStatic

@CompileStatic
class Request {
    static final String COOKIE = 'JSESSIONID.standin'

    private final HttpExchange exchange
    final Map<String, String> parameters
    /** Null for nobody. */
    User user
    boolean byToken
    String session

    Request(HttpExchange exchange) {
        this.exchange = exchange
        String form = exchange.requestBody.getText('UTF-8')
        boolean encoded = header('Content-Type')?.startsWith('application/x-www-form-urlencoded')
        parameters = decode(encoded ? form : '') + decode(exchange.requestURI.rawQuery)
    }

    private static Map<String, String> decode(String text) {
        (text ?: '').tokenize('&').collectEntries { String pair ->
            List<String> parts = pair.split('=', 2).toList().collect { String it -> URLDecoder.decode(it, 'UTF-8') }
            [(parts[0]): parts[1] ?: '']
        } as Map<String, String>
    }

    boolean isPost() { exchange.requestMethod == 'POST' }
    String getPath() { exchange.requestURI.path }
    String getUrl() { "http://${header('Host')}/" }
    String header(String name) { exchange.requestHeaders.getFirst(name) }

    /** Name and password or token of the Authorization header; null without one. */
    List<String> getCredentials() {
        String value = header('Authorization')
        value?.startsWith('Basic ') ? new String(value.substring(6).decodeBase64(), 'UTF-8').split(':', 2).toList() : null
    }

    String getCookie() {
        List<String> cookies = (header('Cookie') ?: '').split(/;\s*/).toList()
        cookies.find { it.startsWith("$COOKIE=") }?.substring(COOKIE.length() + 1)
    }

    void remember(String newSession) {
        session = newSession
        exchange.responseHeaders.add('Set-Cookie', "$COOKIE=$newSession; Path=/; HttpOnly")
    }

    void send(Answer answer) {
        answer.headers.each { name, value -> exchange.responseHeaders.add(name, value) }
        exchange.responseHeaders.add('X-Content-Type-Options', 'nosniff')
        exchange.responseHeaders.add('Content-Type', answer.type)
        byte[] body = answer.body.getBytes('UTF-8')
        exchange.sendResponseHeaders(answer.status, body.length ?: -1)
        exchange.responseBody.write(body)
    }
}
