// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.io.PrintStream;
import java.net.Socket;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * A client of CRNP as Java programs write it: the registration is a DOM tree that a Transformer writes to a
 * PrintStream on the socket, and the reply is parsed from the socket's own stream to its end of file. There is
 * no half-close, no time limit and no repetition: whatever the server does that such a client cannot bear (a
 * reset, a byte in front of the XML declaration, a connection that stays open) shows here.
 *
 * <pre>
 * java CrnpClient.java HOST PORT CALLBACK_PORT REG_TYPE [CLASS[/SUBCLASS][:NAME=VALUE[,NAME=VALUE]...]]...
 * </pre>
 *
 * A repeated NAME adds a VALUE to the pair; there is no way to escape a separator. CALLBACK_PORT and REG_TYPE are
 * sent as they are typed, so that a test can send what is wrong.
 *
 * Prints "STATUS_CODE: message". Exit status: 0 a reply, whatever it says; 1 none; 2 the arguments.
 */
public final class CrnpClient {
    private static final int FIRST_EVENT = 4;

    private CrnpClient() {}

    public static void main(String[] arguments) {
        if (arguments.length < FIRST_EVENT) {
            System.err.println("CrnpClient HOST PORT CALLBACK_PORT REG_TYPE [EVENT]...");
            System.exit(2);
        }
        try {
            System.out.println(exchange(arguments));
        } catch (Exception problem) {
            System.err.println("CrnpClient: no reply: " + problem);
            System.exit(1);
        }
    }

    private static String exchange(String[] arguments) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setValidating(false);
        DocumentBuilder builder = factory.newDocumentBuilder();
        Document registration = registration(builder, arguments);
        try (Socket socket = new Socket(arguments[0], Integer.parseInt(arguments[1]))) {
            write(registration, socket);
            return textOf(builder.parse(socket.getInputStream()));
        }
    }

    private static void write(Document registration, Socket socket) throws Exception {
        PrintStream stream = new PrintStream(socket.getOutputStream());
        Transformer transformer = TransformerFactory.newInstance().newTransformer();
        transformer.transform(new DOMSource(registration), new StreamResult(stream));
        stream.flush();
        // A server that refuses early may have closed: the reply still waits to be read, so
        // stream.checkError() is not asked.
    }

    private static Document registration(DocumentBuilder builder, String[] arguments) {
        Document document = builder.newDocument();
        Element root = document.createElement("SC_CALLBACK_REG");
        root.setAttribute("VERSION", "1.0");
        root.setAttribute("PORT", arguments[2]);
        root.setAttribute("REG_TYPE", arguments[3]);
        for (int i = FIRST_EVENT; i < arguments.length; i++) {
            root.appendChild(event(document, arguments[i]));
        }
        document.appendChild(root);
        return document;
    }

    private static Element event(Document document, String text) {
        String[] typeAndPairs = text.split(":", 2);
        String[] names = typeAndPairs[0].split("/", 2);
        Element event = document.createElement("SC_EVENT_REG");
        event.setAttribute("CLASS", names[0]);
        if (names.length == 2) {
            event.setAttribute("SUBCLASS", names[1]);
        }
        if (typeAndPairs.length == 2) {
            appendPairs(document, event, typeAndPairs[1]);
        }
        return event;
    }

    private static void appendPairs(Document document, Element event, String text) {
        String open = null;
        Element pair = null;
        for (String part : text.split(",")) {
            String[] nameAndValue = part.split("=", 2);
            if (nameAndValue.length < 2) {
                throw new IllegalArgumentException(part + " is not NAME=VALUE");
            }
            if (!nameAndValue[0].equals(open)) {
                open = nameAndValue[0];
                pair = document.createElement("NVPAIR");
                pair.appendChild(withText(document, "NAME", open));
                event.appendChild(pair);
            }
            pair.appendChild(withText(document, "VALUE", nameAndValue[1]));
        }
    }

    private static Element withText(Document document, String name, String text) {
        Element element = document.createElement(name);
        element.appendChild(document.createCDATASection(text));
        return element;
    }

    private static String textOf(Document reply) throws IOException {
        Element root = reply.getDocumentElement();
        NodeList messages = root.getElementsByTagName("SC_STATUS_MSG");
        if (!root.getTagName().equals("SC_REPLY") || messages.getLength() != 1) {
            throw new IOException("the answer is no SC_REPLY");
        }
        return root.getAttribute("STATUS_CODE") + ": " + messages.item(0).getTextContent();
    }
}
