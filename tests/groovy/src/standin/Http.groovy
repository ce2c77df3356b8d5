// Users, one HTTP request as the stand-in sees it, and the forms of its answers.
package standin

import com.sun.net.httpserver.HttpExchange
import groovy.json.JsonOutput

@CompileStatic class User {
    String name, password, token
    List<String> permissions
    /** Administer implies everything, everything implies Read. */
    boolean may(String right) { right in permissions || 'Administer' in permissions || right == 'Read' && permissions }
}

@CompileStatic class Request {
    private static final String COOKIE = 'JSESSIONID.standin'
    private final HttpExchange exchange
    final String body, path
    final boolean post
    final Map<String, String> parameters
    /** Null for nobody. */
    User user
    boolean byToken
    String session

    Request(HttpExchange exchange) {
        this.exchange = exchange
        path = exchange.requestURI.path
        post = exchange.requestMethod == 'POST'
        body = exchange.requestBody.getText('UTF-8')
        boolean form = header('Content-Type')?.startsWith('application/x-www-form-urlencoded')
        parameters = decode(form ? body : '') + decode(exchange.requestURI.rawQuery ?: '')
        session = header('Cookie')?.tokenize('; ')?.find { it.startsWith(COOKIE) }?.substring(COOKIE.length() + 1)
    }
    private static Map<String, String> decode(String text) {
        List<String[]> pairs = text.tokenize('&').collect { it.split('=', 2) }
        pairs.collectEntries { [it[0], URLDecoder.decode(it.size() > 1 ? it[1] : '', 'UTF-8')] } as Map<String, String>
    }
    String header(String name) { exchange.requestHeaders.getFirst(name) }
    /** Name and password or token of the Authorization header; null without one. */
    List<String> getCredentials() {
        String basic = header('Authorization')?.minus('Basic ')
        basic ? new String(basic.decodeBase64(), 'UTF-8').split(':', 2).toList() : null
    }

    String newSession() {
        session = "node0${UUID.randomUUID().toString().replace('-', '')}0"
        exchange.responseHeaders.add('Set-Cookie', "$COOKIE=$session; Path=/; HttpOnly")
        session
    }

    void send(Answer answer) {
        answer.headers.each { name, value -> exchange.responseHeaders.add(name, value) }
        exchange.responseHeaders.add('Content-Type', answer.type)
        byte[] content = answer.body.getBytes('UTF-8')
        exchange.sendResponseHeaders(answer.status, content.length ?: -1)
        exchange.responseBody.write(content)
    }
}

@CompileStatic class Answer {
    @DataBound Answer(final int status, final String type, final String body, final Map<String, String> headers) { }
    static Answer text(String body, int status = 200) { new Answer(status, 'text/plain;charset=utf-8', body, [:]) }
    static Answer json(Map content) {
        new Answer(200, 'application/json;charset=utf-8', JsonOutput.toJson(content), ofJenkins())
    }
    static Answer page(int status, String head, Map more = [:]) { html(status, head, ofJenkins() + more) }
    static Answer login(String path) {
        page(403, "<meta http-equiv='refresh' content='1;url=/login?from=${URLEncoder.encode(path, 'UTF-8')}'/>")
    }
    /** The servlet container's own page: it tells neither version nor session. */
    static Answer error(int status, String message, Map<String, String> headers = [:]) {
        html(status, "<title>Error $status $message</title>", headers)
    }
    private static Answer html(int status, String head, Map<String, String> headers) {
        new Answer(status, 'text/html;charset=utf-8', "<html><head>$head</head></html>\n", headers)
    }
    private static Map<String, String> ofJenkins() {
        ['X-Jenkins': Jenkins.VERSION, 'X-Jenkins-Session': Jenkins.SESSION_HASH]
    }
}
