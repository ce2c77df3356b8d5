// Who may do what: users of HOME/users.json, their sessions, and crumbs, which die with the session and with the process.
package standin

import groovy.json.JsonSlurper
import groovy.transform.CompileStatic
import java.security.MessageDigest
import java.util.concurrent.ConcurrentHashMap

@CompileStatic
class User {
    String name
    String password
    String token
    List<String> permissions

    User(Map<String, Object> entry) {
        name = entry.name
        password = entry.password
        token = entry.token
        permissions = entry.permissions as List<String>
    }

    /** Administer implies everything, everything implies read. */
    boolean may(String permission) { permission in permissions || 'administer' in permissions || permission == 'read' && permissions }
}

@CompileStatic
class Accounts {
    private final List<User> users
    private final Set<String> sessions = ConcurrentHashMap.newKeySet()
    private final String salt = UUID.randomUUID()

    Accounts(File file) {
        List<Map<String, Object>> entries = file.file ? (List) new JsonSlurper().parse(file) : []
        users = entries.collect { Map<String, Object> it -> new User(it) }
    }

    User find(String name) { users.find { it.name == name } }

    String openSession() {
        String id = "node0${UUID.randomUUID().toString().replace('-', '')}0"
        sessions.add(id)
        id
    }

    boolean isOpen(String session) { session != null && session in sessions }

    String crumb(User user, String session) {
        byte[] text = [user?.name ?: 'anonymous', session, salt].join(';').getBytes('UTF-8')
        MessageDigest.getInstance('SHA-256').digest(text).encodeHex()
    }
}
